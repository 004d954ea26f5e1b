"""Parts of a bundle as its configs describe them, so that a benchmark follows the defaults."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from monai.bundle import ConfigParser

BUNDLES = Path(__file__).parents[2] / "bundles"

TINY = {"hidden_size": 48, "depth": 2, "num_heads": 3}
TINY_BY_BUNDLE = {
    "mae_pretrain": {**TINY, "decoder_hidden_size": 24, "decoder_depth": 1, "decoder_num_heads": 3},
    "em_segmentation": {**TINY, "feature_size": 4},
}


def size_settings(bundle: str, size: str) -> dict[str, int]:
    """Return the widths and depths of a size by name: demo, small, base, or tiny for a test."""
    if size == "tiny":
        return TINY_BY_BUNDLE[bundle]
    return json.loads((BUNDLES / bundle / f"configs/sizes/{size}.json").read_text(encoding="utf-8"))


def from_config(bundle: str, item: str, overlays: Sequence[str] = (), **overrides: Any) -> Any:
    """Return an item of a bundle's train.json, built with overlays (paths below configs/) and overrides."""
    with scripts_of(bundle):
        return open_config(bundle, overlays, **overrides).get_parsed_content(item)


def open_config(bundle: str, overlays: Sequence[str] = (), **overrides: Any) -> ConfigParser:
    """Return a bundle's train.json with overlays and overrides; its items are built when they are asked for."""
    parser = ConfigParser()
    parser.read_config([str(BUNDLES / bundle / "configs" / name) for name in ["train.json", *overlays]])
    parser.update(overrides)
    return parser


@contextmanager
def scripts_of(bundle: str) -> Iterator[ModuleType]:
    """Import a bundle's `scripts`; both bundles have a package of that name, so it is taken out again and kept."""
    sys.path.insert(0, str(BUNDLES / bundle))
    sys.modules.update(_IMPORTED.get(bundle, {}))
    try:
        yield importlib.import_module("scripts")
    finally:
        sys.path.remove(str(BUNDLES / bundle))
        names = [name for name in sys.modules if name.split(".")[0] == "scripts"]
        _IMPORTED[bundle] = {name: sys.modules.pop(name) for name in names}


_IMPORTED: dict[str, dict[str, ModuleType]] = {}
"""By bundle, the modules of its `scripts`."""
