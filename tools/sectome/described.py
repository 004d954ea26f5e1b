"""Descriptions of config components in JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import currentframe, isroutine
from traceback import walk_stack
from typing import Any

import numpy as np
from monai.bundle import ConfigParser
from torch import Tensor, nn


def describe(component: Any) -> Any:
    """Return plain values, lists and mappings as they are, functions and classes by name, others by attributes.

    Arrays and tensors become lists. Attributes of a module include its buffers, such as class weights, and submodules.
    Left out are private attributes, those that cannot be described, such as random number generators, and those that
    replace a method, such as a compiled one. What a random transform has drawn may be an attribute: describe the
    transform before it is used.
    """
    if isinstance(component, Mapping):
        return {str(name): describe(value) for name, value in component.items() if _can_be_described(value)}
    if isinstance(component, list | tuple):
        return [describe(value) for value in component if _can_be_described(value)]
    if isroutine(component) or isinstance(component, type):
        return f"{component.__module__}.{component.__qualname__}"
    if isinstance(component, np.ndarray | Tensor):
        return component.tolist()
    if not hasattr(component, "__dict__"):
        return component
    kind, attributes = type(component), vars(component)
    if isinstance(component, nn.Module):
        attributes = {**attributes, **component._buffers, **component._modules}
    attributes = {
        name: value
        for name, value in attributes.items()
        if not name.startswith("_") and not isroutine(getattr(kind, name, None))
    }
    return {"_target_": f"{kind.__module__}.{kind.__qualname__}", **describe(attributes)}


def arguments(place: str) -> Any:
    """Return the class and arguments of a component, from the config whose expression calls this function.

    For a network they hold what its weights do not show, such as dropout. An expression is returned as its text.

    Args:
        place: place of the component, such as "network_def".
    """
    callers = (frame.f_locals.get("self") for frame, _ in walk_stack(currentframe()))
    parser = next(caller for caller in callers if isinstance(caller, ConfigParser))
    component = parser[place]
    if not isinstance(component, Mapping):
        return component
    return describe({name: parser.get_parsed_content(f"{place}#{name}") for name in component})


def _can_be_described(value: Any) -> bool:
    plain = value is None or isinstance(value, bool | int | float | str | list | tuple | Mapping | np.ndarray)
    return plain or isroutine(value) or hasattr(value, "__dict__")
