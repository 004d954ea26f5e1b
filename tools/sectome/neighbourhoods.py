"""Which voxels an affinity joins: the named offsets, and the one rule for their sign.

The rule, everywhere in sectome: ``affinities[k, p]`` is 1 where ``labels[p] == labels[p + offsets[k]] != 0``. Offsets
are (z, y, x) in voxels and point backwards, so that `NEAREST` is also the order and sign of waterz and of the SNEMI3D
literature (an affinity is stored at the later of its two voxels).
"""

from __future__ import annotations

from typing import Final

from sectome.checks import InputError
from sectome.types import Offset, Offsets

NEAREST: Final[tuple[Offset, ...]] = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
"""Offsets to the three preceding neighbours that share a face."""

LONG_RANGE: Final[tuple[Offset, ...]] = (
    *NEAREST,
    (-2, 0, 0),
    (0, -3, 0),
    (0, 0, -3),
    (-3, 0, 0),
    (0, -9, 0),
    (0, 0, -9),
    (-4, 0, 0),
    (0, -27, 0),
    (0, 0, -27),
)
"""`NEAREST` and nine longer steps for sections about five times thicker than a pixel (Lee et al. 2017,
arXiv:1706.00120, section 3.2)."""

ISOTROPIC: Final[tuple[Offset, ...]] = (
    *NEAREST,
    (-3, 0, 0),
    (0, -3, 0),
    (0, 0, -3),
    (-9, 0, 0),
    (0, -9, 0),
    (0, 0, -9),
)
"""`NEAREST` and the steps of 3 and 9 voxels for cubic voxels."""


def check_offsets(offsets: Offsets) -> tuple[Offset, ...]:
    """Return the offsets as tuples of int.

    Raises:
        InputError: if there are none, or one does not have three parts, is not of whole numbers, is zero, or is given
            twice.
    """
    try:
        whole = [tuple(int(step) for step in offset) for offset in offsets]
        is_whole = whole == [tuple(offset) for offset in offsets]
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not is_whole:
        raise InputError(f"offsets must be a list of whole steps [[z, y, x], ...], got {offsets!r}")
    checked: list[Offset] = []
    for parts in whole:
        if len(parts) != 3:
            raise InputError(f"an offset must have 3 parts (z, y, x), got {list(parts)}")
        if parts == (0, 0, 0):
            raise InputError("an offset must not be (0, 0, 0): a voxel has no affinity with itself")
        if parts in checked:
            raise InputError(f"each offset must be given once, got {parts} twice")
        checked.append(parts)
    if not checked:
        raise InputError("offsets must name at least one (z, y, x) step, got none")
    return tuple(checked)
