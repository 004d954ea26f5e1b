"""The public API is what `__all__` says: sorted, importable, documented, and each package has one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from importlib.util import find_spec

import pytest

import sectome
from tiny_networks import BUNDLES

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


def test_no_component_of_a_config_has_the_name_of_a_module():
    """Python 3.13 takes `package.name` for the module where there is one, older ones for what the package exports."""
    configs = [path.read_text(encoding="utf-8") for path in BUNDLES.glob("*/configs/**/*.json")]
    targets = {target for text in configs for target in re.findall(r'"_target_": "(sectome\.[\w.]+)"', text)}
    assert targets, "the configs name no component"
    assert [target for target in sorted(targets) if _is_module(target)] == []


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
