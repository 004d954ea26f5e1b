"""Gradients of bounded length, between the backward pass and the optimizer's step."""

from __future__ import annotations

import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents


class GradientClipping:
    """Scale the network's gradients to a norm of at most `max_norm`."""

    def __init__(self, network: torch.nn.Module, max_norm: float = 1.0) -> None:
        self.network = network
        self.max_norm = max_norm

    def attach(self, engine: Engine) -> None:
        """Clip after each backward pass."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.clip)

    def clip(self, engine: Engine) -> None:
        """Scale the gradients in place."""
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.max_norm)
