"""Which parameters learn at which rate, and which decay."""

from __future__ import annotations

from typing import Any

from torch import nn


def parameter_groups(
    network: nn.Module, lr: float, weight_decay: float, encoder_lr_factor: float = 1.0
) -> list[dict[str, Any]]:
    """Return named groups for an optimizer: encoder and rest, with weight decay for matrices only.

    Args:
        network: has its encoder under `encoder`.
        lr: learning rate of all but the encoder.
        weight_decay: of weights with at least two axes; biases, norms and single tokens do not decay.
        encoder_lr_factor: learning rate of the encoder over `lr`.
    """
    groups: dict[tuple[bool, bool], dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        encoder = name.startswith("encoder.")
        decays = parameter.ndim > 1 and not name.endswith("mask_token")
        settings: dict[str, Any] = {
            "name": "encoder" if encoder else "rest",
            "lr": lr * (encoder_lr_factor if encoder else 1.0),
            "weight_decay": weight_decay if decays else 0.0,
            "params": [],
        }
        groups.setdefault((encoder, decays), settings)["params"].append(parameter)
    return list(groups.values())
