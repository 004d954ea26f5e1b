"""A network's training pass by kernels that torch writes for it: neighbouring operations go over memory once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sectome.checks import InputError


def compile_network(network: nn.Module, loss: nn.Module | None = None) -> None:
    """Compile a network's training pass, and its loss's: kernels are written in the first step, for a minute or two.

    Both are changed in place: they are compiled in training mode where gradients are computed, and are as before
    elsewhere. Their state stays the same, and their results up to rounding; what a network draws at random is drawn by
    other numbers.

    Args:
        network: any network that is not recorded yet; batches of another shape are compiled anew.
        loss: its `sums` are compiled, if it has some, as `BalancedLoss` of em_segmentation.

    Raises:
        InputError: if there is no compiler of C++, which torch needs for it.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise InputError(f"compile needs a C++ compiler, got no {compiler!r} here: install one, or name it by CXX")
    network.forward = _compiled_in_training(network.forward, network)
    if loss is not None and hasattr(loss, "sums"):
        loss.sums = _compiled_in_training(loss.sums, loss)


def _compiled_in_training(plain: Callable[..., Any], module: nn.Module) -> Callable[..., Any]:
    compiled = torch.compile(plain, dynamic=False)

    def call(*inputs: Any, **named: Any) -> Any:
        return (compiled if module.training and torch.is_grad_enabled() else plain)(*inputs, **named)

    return call
