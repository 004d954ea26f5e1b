"""A volume cut into blocks, the units of blockwise work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from sectome.types import Array, Box, Shape3


@dataclass(frozen=True)
class BlockGrid:
    """Blocks that cover a volume once, numbered from 0, x fastest, then y, then z.

    Attributes:
        shape: voxels (z, y, x) of the volume.
        block: voxels (z, y, x) of a block; blocks at the far ends may be smaller.
    """

    shape: Shape3
    block: Shape3

    @property
    def counts(self) -> Shape3:
        """Number of blocks along (z, y, x)."""
        z, y, x = (math.ceil(extent / size) for extent, size in zip(self.shape, self.block, strict=True))
        return z, y, x

    def __len__(self) -> int:
        return math.prod(self.counts)

    def place(self, number: int) -> Shape3:
        """Return the position of a block in the grid, (z, y, x) in blocks."""
        z, y, x = np.unravel_index(number, self.counts)
        return int(z), int(y), int(x)

    def number(self, place: Sequence[int]) -> int:
        """Return the number of the block at a position."""
        return int(np.ravel_multi_index(tuple(place), self.counts))

    def before(self, number: int, axis: int) -> int:
        """Return the number of the block's preceding neighbour along an axis, which must exist."""
        place = list(self.place(number))
        place[axis] -= 1
        return self.number(place)

    def core(self, number: int) -> Box:
        """Return the box of voxels that a block is responsible for."""
        z, y, x = (
            slice(at * size, min((at + 1) * size, extent))
            for at, size, extent in zip(self.place(number), self.block, self.shape, strict=True)
        )
        return z, y, x

    def with_context(self, number: int, before: Sequence[int], after: Sequence[int]) -> Box:
        """Return a block's core, extended by voxels (z, y, x) before and after it and clipped to the volume."""
        z, y, x = (
            slice(max(0, part.start - low), min(extent, part.stop + high))
            for part, low, high, extent in zip(self.core(number), before, after, self.shape, strict=True)
        )
        return z, y, x

    def touching(self, box: Box) -> list[tuple[int, Box]]:
        """Return the blocks that overlap a box, each with its intersection with the box."""
        places = [
            range(part.start // size, (part.stop - 1) // size + 1) for part, size in zip(box, self.block, strict=True)
        ]
        found = []
        for place in product(*places):
            number = self.number(place)
            z, y, x = (
                slice(max(part.start, own.start), min(part.stop, own.stop))
                for part, own in zip(box, self.core(number), strict=True)
            )
            found.append((number, (z, y, x)))
        return found


def inside(box: Box, outer: Box) -> Box:
    """Return a box relative to the first voxel of one that contains it."""
    z, y, x = (slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(box, outer, strict=True))
    return z, y, x


def in_volume(flat: Array, box: Box, shape: Shape3) -> Array:
    """Convert flat indices of a box to flat indices of the volume (Z, Y, X) that contains it."""
    places = np.unravel_index(flat, [part.stop - part.start for part in box])
    z, y, x = (at + part.start for at, part in zip(places, box, strict=True))
    _, height, width = shape
    of_volume: Array = (z * height + y) * width + x
    return of_volume
