"""Groups of parameters: rates of encoder, blocks and rest, what decays, and what is frozen."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.encoder import Encoder
from sectome.training import parameter_groups, save_atomically


def network(depth=3):
    encoder = Encoder((1, 2, 2), hidden_size=12, depth=depth, num_heads=2)
    return torch.nn.ModuleDict({"encoder": encoder, "up": torch.nn.Linear(2, 2)})


def rates(groups):
    return {group["name"]: pytest.approx(group["lr"]) for group in groups}


def test_groups_hold_each_parameter_once_with_its_rate_and_decay():
    small = torch.nn.ModuleDict({"encoder": torch.nn.Linear(2, 2), "up": torch.nn.Linear(2, 2)})
    groups = parameter_groups(small, 1.0, 0.05, 0.25)
    found = {(g["name"], g["lr"], g["weight_decay"]): sum(p.numel() for p in g["params"]) for g in groups}
    assert found == {
        ("encoder", 0.25, 0.05): 4,
        ("encoder", 0.25, 0.0): 2,
        ("rest", 1.0, 0.05): 4,
        ("rest", 1.0, 0.0): 2,
    }


def test_without_layer_decay_the_encoder_has_one_rate():
    assert rates(parameter_groups(network(), 1.0, 0.05, 0.3, layer_decay=1.0)) == {"encoder": 0.3, "rest": 1.0}


def test_each_block_learns_slower_than_the_next_and_the_patch_embedding_slowest():
    both = network()
    groups = parameter_groups(both, 1.0, 0.05, 0.8, layer_decay=0.5)
    assert rates(groups) == {
        "encoder patch_embedding": 0.1,
        "encoder block 0": 0.2,
        "encoder block 1": 0.4,
        "encoder block 2": 0.8,
        "encoder norm": 0.8,
        "rest": 1.0,
    }
    assert sum(p.numel() for group in groups for p in group["params"]) == sum(p.numel() for p in both.parameters())


def test_a_decay_that_all_but_freezes_the_patch_embedding_is_said():
    with pytest.warns(UserWarning, match="encoder patch_embedding is all but frozen: it learns at 0.0084 of lr"):
        parameter_groups(network(depth=12), 1.0, 0.05, 0.3, layer_decay=0.7425)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parameter_groups(network(depth=12), 1.0, 0.05, 0.3, layer_decay=0.76)


def test_a_factor_of_0_freezes_the_encoder_for_the_optimizer_and_for_gradients():
    both = network()
    groups = parameter_groups(both, 1.0, 0.05, 0.0)
    assert rates(groups) == {"rest": 1.0}
    optimizer = torch.optim.AdamW(groups)
    before = [parameter.clone() for parameter in both["encoder"].parameters()]
    tokens = both["encoder"](torch.ones(1, 1, 1, 4, 4))[-1]
    assert not tokens.requires_grad
    both["up"](tokens[..., :2]).sum().backward()
    optimizer.step()
    assert len(optimizer.state) == len(list(both["up"].parameters()))
    assert all(torch.equal(old, new) for old, new in zip(before, both["encoder"].parameters(), strict=True))


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_rates_that_are_numbers_of_numpy_go_into_a_checkpoint_as_plain_ones(tmp_path, number):
    groups = parameter_groups(network(), number(0.5), number(0.25), number(0.5), number(0.5))
    save_atomically(torch.optim.AdamW(groups).state_dict(), tmp_path / "checkpoint.pt")
    loaded = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert {group["lr"] for group in loaded["param_groups"]} == {group["lr"] for group in groups}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder_lr_factor": -1}, "encoder_lr_factor must be a number of at least 0, got -1"),
        ({"layer_decay": 0}, "layer_decay must be greater than 0 and at most 1, got 0"),
        ({"layer_decay": 1.1}, "layer_decay must be greater than 0 and at most 1, got 1.1"),
        ({"lr": -1}, "lr must be a number of at least 0, got -1"),
        ({"weight_decay": -0.1}, r"weight_decay must be a number of at least 0, got -0\.1"),
    ],
)
def test_rates_that_cannot_be_meant_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        parameter_groups(network(), **{"lr": 1.0, "weight_decay": 0.05, **options})


def test_an_encoder_that_is_not_there_cannot_be_frozen():
    with pytest.raises(
        InputError, match="the network must have an encoder to freeze with encoder_lr_factor 0, got Linear"
    ):
        parameter_groups(torch.nn.Linear(2, 2), 1.0, 0.05, encoder_lr_factor=0)
    assert len(parameter_groups(torch.nn.Linear(2, 2), 1.0, 0.05, encoder_lr_factor=0.3)) == 2


def test_a_layer_decay_without_layers_is_refused():
    with pytest.raises(
        InputError, match="the network must have a transformer as its encoder with layer_decay, got Linear"
    ):
        parameter_groups(torch.nn.Linear(2, 2), 1.0, 0.05, layer_decay=0.9)
