"""Around a step of the optimizer: gradients are clipped, rate and average go on, also where batches are accumulated."""

from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer

from sectome.checks import InputError
from sectome.training import OptimizerSteps, WeightAverage


def train(batch_size, accumulation_steps, *, max_norm=0.0, decay=0.0):
    """Take four steps on 16 samples; return trained and averaged weights, rates after each batch, and gradients."""
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    samples = torch.randn(16, 3)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    average = WeightAverage(network, decay)
    rates, norms = [], []
    optimizer.register_step_post_hook(lambda *_: norms.append(float(network.weight.grad.norm())))
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=[{"image": part, "label": part[:, :2].abs()} for part in samples.split(batch_size)],
        network=network,
        optimizer=optimizer,
        loss_function=torch.nn.MSELoss(),
        epoch_length=2 * accumulation_steps,
        decollate=False,
        accumulation_steps=accumulation_steps,
        train_handlers=[OptimizerSteps(optimizer, schedule, average, max_norm)],
    )
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: rates.append(optimizer.param_groups[0]["lr"]))
    trainer.run()
    return network.weight.detach(), average.network.weight.detach(), rates, norms


@pytest.mark.parametrize("max_norm", [0.0, 0.2])
def test_accumulated_batches_train_as_the_batch_that_they_make(max_norm):
    whole, whole_average, rates, norms = train(4, 1, max_norm=max_norm, decay=0.5)
    parts, parts_average, more_rates, _ = train(2, 2, max_norm=max_norm, decay=0.5)
    assert torch.allclose(whole, parts, atol=1e-6)
    assert torch.allclose(whole_average, parts_average, atol=1e-6)
    assert rates == pytest.approx([0.1 / step for step in (2, 3, 4, 5)])
    # A step of the schedule for each of the optimizer's.
    assert more_rates == pytest.approx([0.1 / step for step in (1, 2, 2, 3, 3, 4, 4, 5)])
    assert all(norm <= 0.2 + 1e-6 for norm in norms) == bool(max_norm)


def test_a_negative_norm_is_refused():
    with pytest.raises(InputError, match="clip_norm must be a number of at least 0, got -1"):
        OptimizerSteps(None, None, max_norm=-1)


def test_a_schedule_that_follows_a_metric_is_refused():
    optimizer = torch.optim.SGD(torch.nn.Linear(3, 2).parameters(), 0.1)
    with pytest.raises(InputError, match="schedule must follow the number of steps, got ReduceLROnPlateau"):
        OptimizerSteps(optimizer, torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer))


def test_nothing_needs_to_be_averaged():
    network = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), 1.0)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer)
    OptimizerSteps(optimizer, schedule).attach(Engine(lambda engine, batch: None))
    network(torch.ones(1, 1)).backward()
    optimizer.step()
    assert schedule.last_epoch == 1
