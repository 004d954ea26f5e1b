"""Asynchronous copies of single numbers from a GPU, which keeps working in the meantime."""

from __future__ import annotations

import torch
from torch import Tensor


class Arriving:
    """Copy a number to the CPU asynchronously, and wait for it only when it is read.

    Args:
        number: a tensor of one element on any device; may change afterwards.
    """

    def __init__(self, number: Tensor) -> None:
        # A copy to pageable memory would wait for all work queued on the GPU.
        self.copy = torch.empty(number.shape, dtype=number.dtype, pin_memory=number.is_cuda)
        self.copy.copy_(number, non_blocking=number.is_cuda)
        self.arrived: torch.cuda.Event | None = None
        if number.is_cuda:
            self.arrived = torch.cuda.Event()
            self.arrived.record(torch.cuda.current_stream(number.device))

    def value(self) -> float:
        """Wait for the number and return it."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return float(self.copy)
