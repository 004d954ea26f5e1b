"""CUDA graphs of a network's forward and backward pass: recorded once, then replayed with one launch each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from sectome.checks import InputError
from sectome.training.autocast import use_bfloat16
from sectome.training.failures import memory_advice


def record_network(
    network: nn.Module,
    batch_shape: Sequence[int],
    device: torch.device | str,
    precision: str,
    accumulation_steps: int = 1,
) -> None:
    """Record a network's training pass as CUDA graphs, so that kernel launches from Python do not limit a step's speed.

    The network is changed in place. It replays the graphs in training mode, and is unchanged in evaluation mode. Its
    state and its results stay the same. Every batch must have the recorded shape, and gradients must be reset to None,
    not to 0.

    Args:
        network: network on the device, in training mode, without hooks.
        batch_shape: shape of the input (B, C, Z, Y, X).
        device: a GPU.
        precision: as for `AutocastInferer`.
        accumulation_steps: of the trainer; must be 1, because a replay overwrites gradients.

    Raises:
        InputError: if the device is not a GPU or has too little memory, or gradients are accumulated or shared between
            processes.
    """
    device = torch.device(device)
    if device.type != "cuda":
        raise InputError(f"device must be a CUDA GPU for cuda_graph, got {device.type}")
    if accumulation_steps != 1:
        raise InputError(f"accumulation_steps must be 1 for cuda_graph, got {accumulation_steps}")
    if torch.distributed.is_initialized():
        raise InputError("cuda_graph must run in one process, got several: leave it out of multi_gpu_train.json")
    image = torch.zeros(*batch_shape, device=device)
    mixed = torch.autocast("cuda", torch.bfloat16, enabled=use_bfloat16(precision, device), cache_enabled=False)
    # Recording uses a stream of the current device: on another, nothing would be recorded.
    with torch.cuda.device(device), torch.random.fork_rng([device]), mixed:
        try:
            torch.cuda.make_graphed_callables(network, (image,))
        except torch.OutOfMemoryError as error:
            raise InputError(memory_advice(str(error), batch_shape[0], accumulation_steps=None)) from None
