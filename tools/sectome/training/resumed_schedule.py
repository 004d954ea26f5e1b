"""Resume of a learning rate schedule: it continues at its old step, with its new length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def resume_schedule(schedule: LRScheduler, state: Mapping[str, Any]) -> None:
    """Continue a schedule after the last step of an interrupted one of its kind.

    A schedule that computes the learning rate from the number of the step alone, like MONAI's cosine, keeps its new
    settings: more epochs make it longer. Any other computes it from the previous one, and takes over the whole state.

    Args:
        schedule: new schedule, of an optimizer that is restored already; sets the learning rates of the next step.
        state: state of the interrupted schedule.
    """
    if not isinstance(schedule, LambdaLR):
        schedule.load_state_dict({**state})
        return
    # `step` computes the learning rates. `_step_count` only tells it that steps have been taken before.
    schedule.last_epoch, schedule._step_count = state["last_epoch"] - 1, state["_step_count"]
    schedule.step()
    schedule._step_count = state["_step_count"]
