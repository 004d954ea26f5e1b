"""The page about transforms: one section and one picture each, and snippets that work in `train.json`."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

import sectome.transforms
from sectome.report.gallery import MASKS, public_transforms
from tiny_networks import BUNDLES

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "transforms.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))


def snippet(name: str) -> dict:
    [text] = re.findall(r"```json\n(.*?)```", SECTIONS[name], flags=re.DOTALL)
    return json.loads(text)


def test_every_public_transform_has_one_section():
    names = re.findall(r"^### (\w+)$", PAGE, flags=re.MULTILINE)
    assert sorted(names) == sorted(public_transforms())


def test_every_picture_belongs_to_a_section():
    assert {path.stem for path in (DOCS / "transforms").glob("*")} == {*public_transforms(), MASKS}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_what_it_is_and_has_a_picture(name):
    words = SECTIONS[name].split("![")[0].split()
    assert 8 <= len(words) <= 90
    [target] = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", SECTIONS[name])
    assert target == f"transforms/{name}.png"
    path = DOCS / target
    assert path.stat().st_size < 150_000
    with Image.open(path) as picture:
        assert min(picture.size) > 400


@pytest.mark.parametrize("name", SECTIONS)
def test_a_snippet_works_in_the_training_config(name):
    config = json.loads((BUNDLES / "em_segmentation/configs/train.json").read_text())
    # The bundle's own scripts are on no path here, and no transform needs them.
    config["imports"] = [line for line in config["imports"] if "scripts" not in line]
    config["shown"] = snippet(name)
    transform = ConfigParser(config).get_parsed_content("shown")
    assert type(transform) is getattr(sectome.transforms, f"{name}d")
    transform_keys = set(transform.keys)
    assert transform_keys <= {"image", "label"}
    crop = {"image": torch.randn(1, 16, 96, 96), "label": torch.arange(16 * 6 * 6).reshape(1, 16, 6, 6)}
    crop["label"] = crop["label"].repeat_interleave(16, 2).repeat_interleave(16, 3)
    result = transform(crop)
    assert set(crop) <= set(result)
    assert all(result[key].shape == crop[key].shape for key in crop)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_snippet_names_options_of_the_transform_and_a_random_one_its_chance(name):
    options = set(inspect.signature(public_transforms()[name]).parameters)
    shown = set(snippet(name)) - {"_target_", "keys"}
    assert shown <= options
    assert "prob" not in options or "prob" in shown
    assert shown == options or options - shown <= {"max_sections", "waviness", "prob"}
