"""The levels of a pyramid, and how to find the one nearest to a voxel size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sectome.checks import InputError
from sectome.types import Shape3, VoxelSize


@dataclass(frozen=True)
class Level:
    """One resolution of a volume.

    Attributes:
        dataset: Its name inside the container.
        shape: Voxels along (z, y, x).
        voxel_size_nm: Edge lengths along (z, y, x) in nm; None if the file gives none with a unit.
    """

    dataset: str
    shape: Shape3
    voxel_size_nm: VoxelSize | None


def choose_level(levels: Sequence[Level], near_voxel_size_nm: VoxelSize | None, name: str) -> Level:
    """Return the level whose voxel size is nearest to the wanted one; by default the finest.

    The distance is the sum over axes of the absolute log ratio of edge lengths. Of two equally near levels, the one
    with smaller voxels is taken.

    Args:
        levels: The levels, at least one, in the file's order.
        near_voxel_size_nm: Edge lengths along (z, y, x) in nm, or None.
        name: Name of the volume, for the error message.

    Raises:
        InputError: If a size is wanted and a level has none.
    """
    sizes = [level.voxel_size_nm for level in levels]
    if any(size is None for size in sizes):
        if near_voxel_size_nm is not None:
            raise InputError(
                f"expected levels with voxel sizes, to choose one near {near_voxel_size_nm} nm, got {name}, which has "
                f"none: name a level after a colon, one of {', '.join(level.dataset for level in levels)}"
            )
        return levels[0]

    def distance(level: Level) -> tuple[float, float]:
        size = level.voxel_size_nm or ()
        near = near_voxel_size_nm or size
        ratios = (abs(math.log(length / wanted)) for length, wanted in zip(size, near, strict=True))
        return round(sum(ratios), 9), math.prod(size)

    return min(levels, key=distance)
