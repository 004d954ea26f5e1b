"""docs/settings.md names every key that is not a component, with the default that the config has."""

from __future__ import annotations

import json
import re

import pytest

from sectome.types import RANGES
from tiny_networks import BUNDLES

PAGE = (BUNDLES.parent / "docs/settings.md").read_text()

BUNDLE_NAMES = ("mae_pretrain", "em_segmentation")

INNER = {
    *("imports", "checked", "initialize", "run", "bundle_root", "settings", "save_execute_config", "network_name"),
    *("activity", "network", "out_channels", "trackers", "picture", "trained", "displayable_configs", "datalist"),
    "handlers",
}
"""Keys that tie the others together: a user changes what they are made of."""


def section(title: str) -> list[list[str]]:
    """Return the cells of the rows of the table below a title."""
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (own,) = [part for part in text if part.startswith(title)]
    rows = [line for line in own.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def documented(title: str, column: int) -> dict[str, str]:
    """Return what a column says of each key; a row may have several keys, with as many values."""
    found = {}
    for row in section(title):
        keys = re.findall(r"`(\w+)`", row[0])
        values = re.findall(r"`([^`]+)`", row[column])
        each = values if len(values) == len(keys) else [row[column].strip("`")] * len(keys)
        found |= dict(zip(keys, each, strict=True))
    return {key: value for key, value in found.items() if value}


def declared(bundle: str, config: str) -> dict[str, object]:
    """Return the keys of a config that a user may want to change."""
    content = json.loads((BUNDLES / bundle / f"configs/{config}.json").read_text())
    return {
        key: value
        for key, value in content.items()
        if "#" not in key and key not in INNER and (not isinstance(value, dict) or key == "intensity")
    }


@pytest.mark.parametrize("column", [1, 2])
@pytest.mark.parametrize(("title", "config"), [("Training", "train"), ("Inference", "inference")])
def test_each_key_has_the_default_of_the_config(title, config, column):
    check(documented(title, column), declared(BUNDLE_NAMES[column - 1], config))


def test_each_key_of_the_evaluation_has_its_default():
    check(documented("An evaluation", 1), declared("em_segmentation", "evaluate"))


def check(told: dict[str, str], keys: dict[str, object]) -> None:
    trained = {key for key, value in keys.items() if "@trained" in str(value)}
    assert keys.keys() - trained <= told.keys() <= keys.keys()
    for key, value in ((key, keys[key]) for key in told):
        if isinstance(value, dict):
            assert value["_target_"].endswith(f".{told[key]}")
        elif isinstance(value, str) and value.startswith("$neighbourhoods."):
            assert value.endswith(f".{told[key]}")
        elif not (isinstance(value, str) and value.startswith(("$", "@"))):
            assert json.loads(told[key]) == value, key


def test_each_key_of_an_entry_is_named():
    told = {key for row in section("An entry") for key in re.findall(r"`(\w+)`", row[0])}
    assert told == {"image", "label", "mask", "membrane", *RANGES, "section_step", "weight", "near_voxel_size_nm"}
