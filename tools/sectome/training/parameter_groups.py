"""Parameter groups: learning rates, weight decay and frozen parameters."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from sectome.checks import InputError, check_at_least
from sectome.encoder import PREFIX

LEAST_SHARE = 0.01
"""Fraction of the learning rate below which a group is all but frozen."""


def parameter_groups(
    network: nn.Module, lr: float, weight_decay: float, encoder_lr_factor: float = 1.0, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Return named parameter groups for an optimizer: encoder and rest, with weight decay for matrices only.

    Args:
        network: has its encoder in `encoder`.
        lr: learning rate outside the encoder.
        weight_decay: weight decay of parameters with at least two axes; biases, norms and mask tokens do not decay.
        encoder_lr_factor: learning rate of the encoder relative to `lr`. 0 freezes it: `requires_grad` of its
            parameters is set to False here, and they are in no group.
        layer_decay: learning rate of each encoder block relative to the next one, and of the patch embedding relative
            to the first block (Clark et al. 2020, arXiv:2003.10555). Below 1, each has its own group.

    Raises:
        InputError: if `lr`, `weight_decay` or `encoder_lr_factor` is negative, `layer_decay` is not in (0, 1], or there
            is no encoder to decay in or to freeze.
    """
    # Converted to plain numbers: a checkpoint with numpy's numbers could not be loaded.
    lr, weight_decay = check_at_least(lr, 0, "lr"), check_at_least(weight_decay, 0, "weight_decay")
    encoder_lr_factor = check_at_least(encoder_lr_factor, 0, "encoder_lr_factor")
    layer_decay = check_at_least(layer_decay, 0, "layer_decay")
    if not 0 < layer_decay <= 1:
        raise InputError(f"layer_decay must be greater than 0 and at most 1, got {layer_decay!r}")
    parts = [_encoder_part(name) for name, _ in network.named_parameters()]
    if encoder_lr_factor == 0 and not any(parts):
        raise InputError(
            f"the network must have an encoder to freeze with encoder_lr_factor 0, got {type(network).__name__}"
        )
    depth = 1 + max((block for _, block in filter(None, parts)), default=-1)
    if layer_decay < 1 and not depth:
        raise InputError(
            f"the network must have a transformer as its encoder with layer_decay, got {type(network).__name__}"
        )

    groups: dict[tuple[str, bool], dict[str, Any]] = {}
    for part, (name, parameter) in zip(parts, network.named_parameters(), strict=True):
        label, rate = "rest", lr
        if part is not None:
            if encoder_lr_factor == 0:
                parameter.requires_grad_(False)
            kind, block = part
            steps = {"blocks": depth - 1 - block, "patch_embedding": depth}.get(kind, 0)
            label, rate = "encoder", lr * encoder_lr_factor * layer_decay**steps
            if layer_decay < 1:
                label = f"encoder block {block}" if kind == "blocks" else f"encoder {kind}"
        if not parameter.requires_grad:
            continue
        decays = parameter.ndim > 1 and not name.endswith("mask_token")
        settings = {"name": label, "lr": rate, "weight_decay": weight_decay if decays else 0.0, "params": []}
        groups.setdefault((label, decays), settings)["params"].append(parameter)

    slowest = min(groups.values(), key=lambda group: group["lr"])
    if slowest["lr"] < LEAST_SHARE * lr:
        warnings.warn(
            f"the group {slowest['name']} is all but frozen: it learns at {slowest['lr'] / lr:.2g} of lr; raise "
            "layer_decay or encoder_lr_factor, or freeze the encoder with encoder_lr_factor 0",
            UserWarning,
            stacklevel=2,
        )
    return list(groups.values())


def _encoder_part(name: str) -> tuple[str, int] | None:
    """Return the encoder part of a parameter, with the number of its block or -1; None outside the encoder."""
    if not name.startswith(PREFIX):
        return None
    part, number = (name.removeprefix(PREFIX) + ".").split(".")[:2]
    return part, int(number) if part == "blocks" else -1
