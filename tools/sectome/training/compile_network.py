"""A network's training pass by kernels that torch writes for it: neighbouring operations go over memory once."""

from __future__ import annotations

import os
import shutil
from typing import Any

import torch
from torch import nn

from sectome.checks import InputError


def compile_network(network: nn.Module) -> None:
    """Compile a network's training pass; its kernels are written in the first step, which takes a minute or two.

    The network is changed in place: it is compiled in training mode and is as before in evaluation mode. Its state
    stays the same, and its results up to rounding; what it draws at random is drawn by other numbers.

    Args:
        network: any network that is not recorded yet; batches of another shape are compiled anew.

    Raises:
        InputError: if there is no compiler of C++, which torch needs for it.
    """
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise InputError(f"compile needs a C++ compiler, got no {compiler!r} here: install one, or name it by CXX")
    plain, compiled = network.forward, torch.compile(network.forward, dynamic=False)

    def forward(*inputs: Any, **named: Any) -> Any:
        return (compiled if network.training else plain)(*inputs, **named)

    network.forward = forward
