"""Compiled networks: torch fuses successive operations into kernels that pass over memory once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sectome.checks import InputError


def compile_network(network: nn.Module, loss: nn.Module | None = None) -> None:
    """Compile the training pass of a network and its loss; the first step then takes a minute or two longer.

    Both are changed in place. They run compiled in training mode with gradients enabled, and unchanged otherwise. Their
    state stays the same, and so do their results up to rounding, but random numbers drawn by the network differ.

    Args:
        network: any network that is not recorded as a CUDA graph; each batch shape is compiled separately.
        loss: its `sums` is compiled, if it has one, like `BalancedLoss` of em_segmentation.

    Raises:
        InputError: if there is no C++ compiler, which torch needs.
    """
    _check_compiler()
    network.forward = _compiled(network.forward, network, in_training=True)
    if loss is not None and hasattr(loss, "sums"):
        loss.sums = _compiled(loss.sums, loss, in_training=True)


def compile_prediction(network: nn.Module) -> None:
    """Compile a network's prediction, at its first call and once more at the first other batch size.

    The network is changed in place. It runs compiled in evaluation mode without gradients, and unchanged otherwise. Its
    state stays the same, and so do its results up to rounding.

    Args:
        network: any network; each window shape is compiled separately, all further batch sizes together.

    Raises:
        InputError: if there is no C++ compiler, which torch needs.
    """
    _check_compiler()
    network.forward = _compiled(network.forward, network, in_training=False)


def _check_compiler() -> None:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise InputError(
            f"expected a C++ compiler for compile, got no {compiler!r} here: install one, or name it in CXX"
        )


def _compiled(plain: Callable[..., Any], module: nn.Module, in_training: bool) -> Callable[..., Any]:
    """Return a call that runs compiled in training or in prediction, as `in_training` says, and plain elsewhere."""
    # Training has one batch size. In prediction, the last batch of a row of windows may be smaller.
    compiled = torch.compile(plain, dynamic=False if in_training else None)

    def call(*inputs: Any, **named: Any) -> Any:
        here = module.training == torch.is_grad_enabled() == in_training
        return (compiled if here else plain)(*inputs, **named)

    return call
