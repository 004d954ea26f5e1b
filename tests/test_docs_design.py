"""docs/design.md lists each module and subpackage of the package's root."""

from __future__ import annotations

import re
from pathlib import Path

import sectome
from tiny_networks import BUNDLES

PAGE = (BUNDLES.parent / "docs/design.md").read_text(encoding="utf-8")


def test_the_folders_are_those_of_the_package():
    there = {
        path.name if path.suffix else f"{path.name}/"
        for path in Path(sectome.__file__).parent.iterdir()
        if path.name[:2] != "__" and (path.suffix == ".py" or path.is_dir())
    }
    listed = PAGE.split("tools/sectome/ ")[1].split("tools/monailabel/")[0]
    assert set(re.findall(r"\w+\.py|\b\w+/(?= |\n)", listed)) == there
