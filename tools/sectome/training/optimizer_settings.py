"""What the optimizer and its schedule are, in plain values: what must not change between a run and its resume."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sectome.checks import InputError
from sectome.described import describe

HOW: Final = ("foreach", "fused", "capturable")
"""Arguments of torch's optimizers that say how a step is computed, not which."""

OF_GROUPS: Final = ("lr", "weight_decay")
"""Arguments that stand for nothing: each group of parameters has its own, see `group_settings`."""

LENGTH: Final = ("t_total", "warmup_steps")
"""Arguments of MONAI's schedule that may grow with the epochs; the second is kept within the first."""


def optimizer_settings(optimizer: Optimizer) -> dict[str, Any]:
    """Return the class and the arguments of an optimizer; switches that are off are left out, as later ones will be.

    Raises:
        InputError: if a learning rate or a weight decay was given to the optimizer that none of its groups has.
    """
    _check_groups(optimizer)
    arguments = {
        name: value
        for name, value in optimizer.defaults.items()
        if name not in (*HOW, *OF_GROUPS) and value is not None and value is not False
    }
    return {"_target_": _name(optimizer), **describe(arguments)}


def schedule_settings(schedule: LRScheduler) -> dict[str, Any]:
    """Return the class and the arguments of a schedule, but for its length, which more epochs may stretch."""
    known = set(inspect.signature(type(schedule)).parameters) - {"optimizer", "last_epoch", *LENGTH}
    arguments = {name: value for name, value in vars(schedule).items() if name in known}
    return {"_target_": _name(schedule), **describe(arguments)}


def group_settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return name, learning rate and weight decay of each group of parameters, which may be said there only."""
    return [
        {name: _at_first(group, name) for name in ("name", *OF_GROUPS) if name in group}
        for group in optimizer.param_groups
    ]


def _at_first(group: Mapping[str, Any], name: str) -> Any:
    """Return a value of a group as it was given: a schedule has changed the rates, and keeps the first ones."""
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
