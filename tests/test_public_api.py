"""The public API is what `__all__` says: sorted, importable, documented, and each package has one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import sectome

PACKAGES = ["sectome", *(f"sectome.{found.name}" for found in pkgutil.iter_modules(sectome.__path__) if found.ispkg)]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_declares_its_api(name):
    package = importlib.import_module(name)
    assert package.__doc__
    assert list(package.__all__) == sorted(set(package.__all__))
    for public in package.__all__:
        thing = getattr(package, public)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert inspect.getdoc(thing), f"{name}.{public} has no docstring"
            assert thing.__module__.startswith(name), f"{name}.{public} comes from {thing.__module__}"
    public_objects = {
        key
        for key, thing in vars(package).items()
        if not key.startswith("_") and (inspect.isfunction(thing) or inspect.isclass(thing))
    }
    assert public_objects <= set(package.__all__), "a name is importable but not declared"
