"""Averaged weights: equal to the formula, saved and restored, and absent with a decay of 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.training import WeightAverage


def layer(value):
    network = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, value)
    return network


def test_the_average_follows_the_weights_fast_at_first_and_by_its_decay_later():
    network = layer(5.0)
    average = WeightAverage(network, 0.4)
    expected = None
    for step, value in enumerate((1.0, 2.0, 4.0, 8.0, 16.0, 32.0)):
        torch.nn.init.constant_(network.weight, value)
        average.update()
        decay = min(0.4, (1 + step) / (10 + step))
        expected = value if expected is None else decay * expected + (1 - decay) * value
        assert float(average.network.weight.detach()) == pytest.approx(expected)
    assert float(network.weight.detach()) == 32


def test_the_statistics_of_a_batch_norm_are_the_newest():
    network = torch.nn.BatchNorm3d(2)
    average = WeightAverage(network, 0.9)
    network(torch.rand(2, 2, 3, 4, 5) * 7)
    average.update()
    assert torch.equal(average.network.running_mean, network.running_mean)
    assert average.network.num_batches_tracked == 1
    network(torch.rand(2, 2, 3, 4, 5))
    assert average.network.num_batches_tracked == 1


def test_a_decay_of_0_validates_and_keeps_the_trained_weights_themselves():
    network = layer(1.0)
    average = WeightAverage(network, 0.0)
    average.update()
    assert average.network is network
    assert average.state_dict() == {}
    average.load_state_dict({})


def test_an_average_goes_on_where_it_was_saved():
    network = layer(1.0)
    whole = WeightAverage(network, 0.9)
    for value in (1.0, 3.0):
        torch.nn.init.constant_(network.weight, value)
        whole.update()
    resumed = WeightAverage(network, 0.9)
    resumed.load_state_dict(whole.state_dict())
    for average in (whole, resumed):
        average.update()
    assert torch.equal(whole.network.weight, resumed.network.weight)


def test_a_decay_may_be_a_number_of_numpy():
    assert type(WeightAverage(layer(1.0), np.float32(0.5)).decay) is float


@pytest.mark.parametrize("decay", [1, 1.5, -0.1, True, "0.9"])
def test_a_decay_that_is_none_is_refused(decay):
    with pytest.raises(InputError, match=r"ema_decay must be a number of at least 0 and less than 1, got"):
        WeightAverage(layer(1.0), decay)
