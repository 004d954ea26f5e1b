"""Optimizers and schedules in plain values: what changes a result shows; how it is computed, and how long, does not."""

from __future__ import annotations

import json

import pytest
import torch
from monai.bundle import ConfigParser
from monai.optimizers import WarmupCosineSchedule

from sectome.checks import InputError
from sectome.differences import differences
from sectome.training import group_settings, optimizer_settings, schedule_settings
from tiny_networks import BUNDLES


def adam(kind=torch.optim.AdamW, **arguments):
    return kind([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.5, "weight_decay": 0.1}], **arguments)


def cosine(**arguments):
    return WarmupCosineSchedule(adam(), **{"warmup_steps": 3, "t_total": 9, **arguments})


def test_they_are_class_and_arguments():
    assert optimizer_settings(adam(betas=(0.9, 0.95))) == {
        "_target_": "torch.optim.adamw.AdamW",
        "betas": [0.9, 0.95],
        "eps": 1e-8,
        "decoupled_weight_decay": True,
    }
    assert schedule_settings(cosine(end_lr=1e-5)) == {
        "_target_": "monai.optimizers.lr_scheduler.WarmupCosineSchedule",
        "end_lr": 1e-5,
        "cycles": 0.5,
        "warmup_multiplier": 0,
    }
    exponential = torch.optim.lr_scheduler.ExponentialLR(adam(), 0.5)
    assert schedule_settings(exponential) == {"_target_": "torch.optim.lr_scheduler.ExponentialLR", "gamma": 0.5}
    json.dumps([optimizer_settings(adam()), schedule_settings(cosine())])


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (adam(eps=1e-6), "eps 1e-08, got 1e-06"),
        (adam(amsgrad=True), "amsgrad None, got True"),
        (adam(torch.optim.Adam), "_target_ 'torch.optim.adamw.AdamW', got 'torch.optim.adam.Adam'"),
        (adam(fused=True), None),
        (adam(foreach=True, lr=0.5), None),
    ],
)
def test_optimizers_differ_in_what_changes_a_step(other, difference):
    found = next(differences(optimizer_settings(adam()), optimizer_settings(other)), None)
    assert found == difference


@pytest.mark.parametrize("given", [{"lr": 0.25}, {"weight_decay": 0}])
def test_what_each_group_has_of_its_own_is_not_to_be_given_beside_it(given):
    optimizer = adam(**given)
    [(name, value)] = given.items()
    message = f"{name} must be given as --{name}, .*got {value} as --optimizer#{name}, which does nothing"
    with pytest.raises(InputError, match=message):
        optimizer_settings(optimizer)
    plain = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], **given)
    WarmupCosineSchedule(plain, 3, 9)
    assert optimizer_settings(plain) == optimizer_settings(adam())


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        ({"end_lr": 0.1}, "end_lr 0.0, got 0.1"),
        ({"cycles": 1.5}, "cycles 0.5, got 1.5"),
        ({"t_total": 18}, None),
        # Kept within its length, so that more epochs may raise it; the config's own number is a setting by itself.
        ({"t_total": 2}, None),
    ],
)
def test_schedules_differ_in_all_but_their_length(other, difference):
    found = next(differences(schedule_settings(cosine()), schedule_settings(cosine(**other))), None)
    assert found == difference


def test_a_schedule_that_was_stepped_is_described_alike():
    schedule = cosine()
    before = schedule_settings(schedule)
    schedule.optimizer.step()
    schedule.step()
    assert schedule_settings(schedule) == before


def test_groups_are_named_with_their_first_rates_whatever_a_schedule_has_made_of_them():
    network = torch.nn.Linear(2, 1)
    groups = [{"name": "matrix", "params": [network.weight]}, {"params": [network.bias], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups, lr=0.5, momentum=0.9)
    expected = [{"name": "matrix", "lr": 0.5, "weight_decay": 0}, {"lr": 0.1, "weight_decay": 0}]
    assert group_settings(optimizer) == expected
    WarmupCosineSchedule(optimizer, warmup_steps=3, t_total=9)
    assert optimizer.param_groups[0]["lr"] == 0
    assert group_settings(optimizer) == expected


@pytest.mark.parametrize("bundle", ["mae_pretrain", "em_segmentation"])
def test_groups_of_ones_own_are_settings_of_a_training(bundle):
    parser = ConfigParser()
    parser.read_config(BUNDLES / bundle / "configs/train.json")
    parser["network"] = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 1}
    parser["optimizer"] = {"_target_": "torch.optim.SGD", "params": "$@network.parameters()", "lr": 0.5}
    # The bundle's own scripts are on no path here, and no optimizer needs them.
    parser["imports"] = [line for line in parser["imports"] if "scripts" not in line]
    assert parser.get_parsed_content("settings#parameter_groups") == [{"lr": 0.5, "weight_decay": 0}]
