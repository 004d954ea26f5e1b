"""Settings of optimizer and schedule as plain values, which must not change between a run and its resume."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sectome.checks import InputError
from sectome.described import describe

HOW: Final = ("foreach", "fused", "capturable")
"""Arguments of torch's optimizers that change only how a step is computed, not its result."""

OF_GROUPS: Final = ("lr", "weight_decay")
"""Arguments without effect here: each parameter group has its own; see `group_settings`."""

LENGTH: Final = ("t_total", "warmup_steps")
"""Arguments of MONAI's schedule that may grow with the epochs; `warmup_steps` is limited to `t_total`."""


def optimizer_settings(optimizer: Optimizer) -> dict[str, Any]:
    """Return an optimizer's class and arguments. Switches that are off are left out: later versions may add others.

    Raises:
        InputError: if the optimizer was given a learning rate or weight decay that has no effect.
    """
    _check_groups(optimizer)
    arguments = {
        name: value
        for name, value in optimizer.defaults.items()
        if name not in (*HOW, *OF_GROUPS) and value is not None and value is not False
    }
    return {"_target_": _name(optimizer), **describe(arguments)}


def schedule_settings(schedule: LRScheduler) -> dict[str, Any]:
    """Return a schedule's class and arguments, except its length, which more epochs may extend."""
    known = set(inspect.signature(type(schedule)).parameters) - {"optimizer", "last_epoch", *LENGTH}
    arguments = {name: value for name, value in vars(schedule).items() if name in known}
    return {"_target_": _name(schedule), **describe(arguments)}


def group_settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return name, learning rate and weight decay of each parameter group, the only place to set them."""
    return [
        {name: _at_first(group, name) for name in ("name", *OF_GROUPS) if name in group}
        for group in optimizer.param_groups
    ]


def _at_first(group: Mapping[str, Any], name: str) -> Any:
    """Return a group's value as it was given: a schedule changes learning rates, and keeps the initial ones."""
    return group.get(f"initial_{name}", group[name])


def _check_groups(optimizer: Optimizer) -> None:
    parameters = inspect.signature(type(optimizer)).parameters
    for name in parameters.keys() & OF_GROUPS:
        value, unsaid = optimizer.defaults[name], parameters[name].default
        greatest = max(_at_first(group, name) for group in optimizer.param_groups)
        if unsaid is not inspect.Parameter.empty and value not in (unsaid, greatest):
            raise InputError(
                f"{name} must be given as --{name}, for each group of parameters, got {value!r} as --optimizer#{name}, "
                "which does nothing"
            )


def _name(component: object) -> str:
    return f"{type(component).__module__}.{type(component).__qualname__}"
