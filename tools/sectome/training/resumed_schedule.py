"""A schedule of the learning rate over a resume: it goes on where it stood, with the length that it has now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def resume_schedule(schedule: LRScheduler, state: Mapping[str, Any]) -> None:
    """Let a schedule go on after the step where another one of its kind stood.

    A schedule that computes each rate from the number of the step alone, as MONAI's cosine, stays as it was made: more
    epochs make it longer. Any other computes it from the rate before, and takes over all of the state.

    Args:
        schedule: newly made, of an optimizer that has its own state already; its rates are set for the next step.
        state: of the schedule that was interrupted.
    """
    if not isinstance(schedule, LambdaLR):
        schedule.load_state_dict({**state})
        return
    # A step computes the rates; the second number only tells it that steps have been taken.
    schedule.last_epoch, schedule._step_count = state["last_epoch"] - 1, state["_step_count"]
    schedule.step()
    schedule._step_count = state["_step_count"]
