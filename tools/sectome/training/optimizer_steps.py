"""Work around each optimizer step: gradient clipping before it, learning rate schedule and weight average after it."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from sectome.checks import InputError, check_at_least
from sectome.training.weight_average import WeightAverage


class OptimizerSteps:
    """Clip gradients, schedule and average weights in hooks of the optimizer.

    Events of the engine would not do: with accumulated gradients, only some of its iterations take a step.

    Args:
        optimizer: gets the hooks.
        schedule: learning rate schedule, advanced once per step.
        average: average of the weights; None averages nothing.
        max_norm: maximum norm of all gradients together; 0 does not clip.

    Raises:
        InputError: if the norm is negative, or the schedule follows a metric.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: LRScheduler,
        average: WeightAverage | None = None,
        max_norm: float = 0.0,
    ) -> None:
        if isinstance(schedule, ReduceLROnPlateau):
            raise InputError("schedule must follow the number of steps, got ReduceLROnPlateau, which follows a metric")
        self.optimizer = optimizer
        self.schedule = schedule
        self.average = average
        self.max_norm = check_at_least(max_norm, 0, "clip_norm")

    def attach(self, engine: Engine) -> None:
        """Register the hooks."""
        if self.max_norm:
            self.optimizer.register_step_pre_hook(self.clip)
        self.optimizer.register_step_post_hook(self.advance)

    def clip(self, optimizer: Optimizer, *_: Any) -> None:
        """Clip the gradients in place."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, self.max_norm)

    def advance(self, *_: Any) -> None:
        """Advance the schedule and update the average."""
        self.schedule.step()
        if self.average is not None:
            self.average.update()
