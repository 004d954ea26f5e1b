"""A schedule over a resume: the rates of an uninterrupted one, also of one that is longer than it was."""

from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine
from monai.optimizers import WarmupCosineSchedule

from sectome.crops import SampleNumbers
from sectome.training import TrainingCheckpoint
from sectome.training.resumed_schedule import resume_schedule


def cosine(steps, warmup=2):
    """Return an optimizer of two groups and its schedule."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (1.0, 0.25)]
    optimizer = torch.optim.AdamW(groups)
    return optimizer, WarmupCosineSchedule(optimizer, warmup, steps)


def advance(optimizer, schedule, steps):
    """Return the rates that so many steps are taken with."""
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return rates


def trained(epoch):
    """Return an engine that has trained so many epochs of two."""
    engine = Engine(lambda engine, batch: None)
    engine.state.epoch, engine.state.iteration, engine.state.epoch_length, engine.state.max_epochs = epoch, epoch, 1, 2
    return engine


@pytest.mark.parametrize("done", [1, 2, 3, 6])
@pytest.mark.parametrize("before", [6, 12])
@pytest.mark.parametrize("warmup", [2, 9])
def test_the_rates_are_those_of_an_uninterrupted_schedule_of_the_new_length(tmp_path, done, before, warmup):
    whole = advance(*cosine(12, warmup), 12)

    def checkpoint(optimizer, schedule):
        # The order of the states must not matter.
        states = {"schedule": schedule, "optimizer": optimizer, "model": torch.nn.Linear(1, 1)}
        return TrainingCheckpoint(tmp_path, tmp_path, states, SampleNumbers(1), 1, {})

    optimizer, schedule = cosine(before, warmup)
    advance(optimizer, schedule, done)
    checkpoint(optimizer, schedule).save(trained(epoch=1))
    optimizer, schedule = cosine(12, warmup)
    checkpoint(optimizer, schedule).load(trained(epoch=0))
    assert advance(optimizer, schedule, 12 - done) == whole[done:]
    assert schedule.state_dict()["_step_count"] == 13


def test_a_schedule_that_goes_on_from_the_rate_before_takes_over_its_state():
    def decaying():
        optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], 1.0)
        return optimizer, torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    optimizer, schedule = decaying()
    advance(optimizer, schedule, 3)
    other, resumed = decaying()
    other.load_state_dict(optimizer.state_dict())
    resume_schedule(resumed, schedule.state_dict())
    assert resumed.state_dict() == schedule.state_dict()
    assert advance(other, resumed, 3) == advance(optimizer, schedule, 3)
