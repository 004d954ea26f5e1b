"""What goes wrong in silence when labels are no labels: a mask of membranes, grey values, an empty volume."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from sectome.tissue.tissue import Tissue
from sectome.types import Box

LOOKED_AT = (0.25, 0.5, 0.75)
"""Sections that are looked at, as shares of the depth."""

GREATEST_WINDOW = 1024
"""Rows and columns that are looked at in a section, in its middle."""


def warn_of_doubtful_labels(tissue: Iterable[Tissue]) -> None:
    """Warn of each volume whose labels tell no objects apart; three sections of it are read.

    Affinities are learned from where ids change. A mask has one id for all cells, and grey values change everywhere.

    Args:
        tissue: volumes; those without labels are passed over.
    """
    for one in tissue:
        if one.label is not None and (doubt := _doubt(one)):
            warnings.warn(
                f"{one.name}: {doubt} in the middle of three sections; labels must have an id for each object, 0 for "
                "background (a mask of membranes can be named as membrane in the place of label)",
                UserWarning,
                stacklevel=2,
            )


def _doubt(tissue: Tissue) -> str | None:
    """Return what is wrong with the labels of a volume, if anything."""
    ids: set[int] = set()
    labelled = alike = 0
    for share in LOOKED_AT:
        labels = tissue.read_labels(_window(tissue, share))[0]
        ids.update(labels.unique().tolist())
        here = labels[:, :-1] > 0
        labelled += int(here.sum())
        alike += int((here & (labels[:, :-1] == labels[:, 1:])).sum())
    objects = sorted(number for number in ids if number > 0)
    if len(objects) < 2:
        return f"the labels hold {f'one object (id {objects[0]})' if objects else 'no object'}"
    if alike < labelled / 2:
        return f"the labels change from voxel to voxel ({1 - alike / labelled:.0%} of them along x)"
    return None


def _window(tissue: Tissue, share: float) -> Box:
    depth, height, width = tissue.shape
    section = int(share * depth)
    y, x = (
        slice((extent - min(extent, GREATEST_WINDOW)) // 2, (extent + min(extent, GREATEST_WINDOW)) // 2)
        for extent in (height, width)
    )
    return slice(section, section + 1), y, x
