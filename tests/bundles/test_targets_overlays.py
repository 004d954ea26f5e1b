"""The overlays of targets: affinities are what the configs do without, and boundary and contour replaces all of it."""

from __future__ import annotations

import json

import pytest

from tiny_networks import BUNDLES

CONFIGS = BUNDLES / "em_segmentation/configs"


def read(name):
    return json.loads((CONFIGS / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("key", "config"),
    [
        ("channels", "train"),
        ("loss", "train"),
        ("scores", "evaluate"),
        ("decode", "inference"),
        ("displayable_configs", "inference"),
    ],
)
def test_affinities_are_the_default(key, config):
    assert read("targets/affinities")[key] == read(config)[key]


def test_each_overlay_sets_the_same_so_that_the_last_one_decides():
    overlays = [set(json.loads(path.read_text())) for path in (CONFIGS / "targets").glob("*.json")]
    assert overlays == [{"channels", "loss", "scores", "decode", "displayable_configs"}] * 2


@pytest.mark.parametrize("config", ["train", "inference"])
def test_the_network_has_as_many_channels_as_the_targets(config):
    assert read(config)["network_def"]["out_channels"] == "@out_channels"
