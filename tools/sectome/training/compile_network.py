"""A network by kernels that torch writes for it: neighbouring operations go over memory once."""

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
    _check_compiler()
    network.forward = _compiled(network.forward, network, in_training=True)
    if loss is not None and hasattr(loss, "sums"):
        loss.sums = _compiled(loss.sums, loss, in_training=True)


def compile_prediction(network: nn.Module) -> None:
    """Compile what a network predicts: kernels are written when it is first called, and once more for other batches.

    It is changed in place: it is compiled in evaluation mode where no gradients are computed, and is as before
    elsewhere. Its state stays the same, and its results up to rounding.

    Args:
        network: any network; windows of another shape are compiled anew, batches of any other size together.

    Raises:
        InputError: if there is no compiler of C++, which torch needs for it.
    """
    _check_compiler()
    network.forward = _compiled(network.forward, network, in_training=False)


def _check_compiler() -> None:
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise InputError(f"compile needs a C++ compiler, got no {compiler!r} here: install one, or name it by CXX")


def _compiled(plain: Callable[..., Any], module: nn.Module, in_training: bool) -> Callable[..., Any]:
    """Return a call that is compiled where a module trains, or where it does not; elsewhere it is plain."""
    # Batches of a training have one size, those of a prediction what is left of a row of windows.
    compiled = torch.compile(plain, dynamic=False if in_training else None)

    def call(*inputs: Any, **named: Any) -> Any:
        here = module.training == torch.is_grad_enabled() == in_training
        return (compiled if here else plain)(*inputs, **named)

    return call
