"""A number on its way from a GPU, which goes on with its work in the meantime."""

from __future__ import annotations

import torch
from torch import Tensor


class Arriving:
    """Send for a number at once, and wait for it when it is asked for.

    Args:
        number: a tensor of one element on any device; may change afterwards.
    """

    def __init__(self, number: Tensor) -> None:
        # Into memory that the system may move, torch copies only after all that the GPU was asked for before.
        self.copy = torch.empty(number.shape, dtype=number.dtype, pin_memory=number.is_cuda)
        self.copy.copy_(number, non_blocking=number.is_cuda)
        self.arrived: torch.cuda.Event | None = None
        if number.is_cuda:
            self.arrived = torch.cuda.Event()
            self.arrived.record(torch.cuda.current_stream(number.device))

    def value(self) -> float:
        """Return the number."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return float(self.copy)
