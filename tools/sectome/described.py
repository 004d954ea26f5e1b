"""What a component of a config is, in values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isroutine
from typing import Any

import numpy as np
from torch import Tensor, nn


def describe(component: Any) -> Any:
    """Return plain values, lists and mappings as they are, a name for a function or class, attributes of others.

    Arrays and tensors are lists. Attributes of a module are its buffers, as weights of classes, and its modules, too.
    Left out are private attributes, those that are no such values, as generators of random numbers, and those that take
    the place of a method, as a compiled one. What a random transform has drawn may be an attribute, too: describe it
    before it is used.
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


def _can_be_described(value: Any) -> bool:
    plain = value is None or isinstance(value, bool | int | float | str | list | tuple | Mapping | np.ndarray)
    return plain or isroutine(value) or hasattr(value, "__dict__")
