"""Coarser levels of a volume, made box by box from the next finer one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from sectome.geometry import Placement, as_point, as_voxel_size
from sectome.types import Array, Box, Shape3, VoxelSize
from sectome.volumes.reader import Reader

_COARSEST_VOXELS = 64


def next_factors(shape: Shape3, voxel_size: VoxelSize) -> Shape3 | None:
    """Return the downsampling factors (z, y, x) of the next level; None if no coarser level is needed.

    Axes whose voxels are less than twice as long as the shortest are halved, so that levels become isotropic. An axis
    of one voxel is kept.

    Args:
        shape: Voxels along (z, y, x) of the finer level.
        voxel_size: Edge lengths of its voxels along (z, y, x), in any unit.
    """
    if max(shape) <= _COARSEST_VOXELS:
        return None
    shortest = min(length for length, extent in zip(voxel_size, shape, strict=True) if extent > 1)
    z, y, x = (
        2 if extent > 1 and length < 2 * shortest else 1 for length, extent in zip(voxel_size, shape, strict=True)
    )
    return z, y, x


WHOLE: Shape3 = (0, 0, 0)


def block_mean(voxels: Array, factors: Shape3, lacking: Shape3 = WHOLE) -> Array:
    """Return the mean of each block of voxels, rounded for integers; blocks at either end may be incomplete.

    Args:
        voxels: (Z, Y, X).
        factors: Block size along (z, y, x) in voxels.
        lacking: Voxels that the first block lacks along (z, y, x).
    """
    mean = voxels.astype(np.float64 if voxels.dtype.itemsize > 4 else np.float32)
    for axis, (factor, before) in enumerate(zip(factors, lacking, strict=True)):
        starts = np.arange(-before, voxels.shape[axis], factor).clip(min=0)
        counts = np.diff(starts, append=voxels.shape[axis])
        mean = np.add.reduceat(mean, starts, axis=axis)
        mean = mean / np.expand_dims(counts, tuple(other for other in range(3) if other != axis)).astype(mean.dtype)
    return (mean if voxels.dtype.kind == "f" else np.rint(mean)).astype(voxels.dtype)


def block_majority(labels: Array, factors: Shape3, lacking: Shape3 = WHOLE) -> Array:
    """Return the most frequent label of each block; in a tie, the one that comes first.

    Args:
        labels: (Z, Y, X).
        factors: Block size along (z, y, x), 1 or 2 voxels. Blocks at either end may be incomplete.
        lacking: Voxels that the first block lacks along (z, y, x).
    """
    majority = np.empty(coarser_shape(labels.shape, factors, lacking), labels.dtype)
    _write_majority(labels, factors, lacking, np.empty(math.prod(factors), labels.dtype), majority)
    return majority


@njit(cache=True, nogil=True)
def _write_majority(labels: Any, factors: Any, lacking: Any, block: Any, majority: Any) -> None:
    """Write the majority of each block of voxels; `block` is scratch space for one."""
    depth, height, width = labels.shape
    before_z, before_y, before_x = lacking
    for z, y, x in np.ndindex(majority.shape):
        count, differ = 0, False
        first_z, first_y, first_x = z * factors[0] - before_z, y * factors[1] - before_y, x * factors[2] - before_x
        for dz in range(max(first_z, 0), min(first_z + factors[0], depth)):
            for dy in range(max(first_y, 0), min(first_y + factors[1], height)):
                for dx in range(max(first_x, 0), min(first_x + factors[2], width)):
                    block[count] = labels[dz, dy, dx]
                    differ |= block[count] != block[0]
                    count += 1
        best, most = 0, 0
        # Most blocks lie within one object.
        for one in range(count if differ else 0):
            votes = 0
            for other in range(count):
                votes += block[one] == block[other]
            if votes > most:
                best, most = one, votes
        majority[z, y, x] = block[best]


def coarser_shape(shape: Sequence[int], factors: Shape3, lacking: Shape3 = WHOLE) -> Shape3:
    """Return how many blocks along (z, y, x) cover a volume whose first block may be incomplete."""
    z, y, x = (-(-(extent + before) // factor) for extent, factor, before in zip(shape, factors, lacking, strict=True))
    return z, y, x


class Downsampled:
    """A coarser level as a source (Z, Y, X), computed box by box.

    Args:
        finer: Reader of the finer level.
        factors: Voxels along (z, y, x) that are merged into one.
        is_labels: Take the majority of each block instead of the mean.
        lacking: Voxels that the first block lacks along (z, y, x).
    """

    def __init__(self, finer: Reader, factors: Shape3, is_labels: bool, lacking: Shape3 = WHOLE) -> None:
        self.shape = coarser_shape(finer.shape, factors, lacking)
        self.dtype = finer.dtype
        self.factors = factors
        self.lacking = lacking
        self._finer = finer
        self._is_labels = is_labels

    @property
    def voxel_bytes(self) -> int:
        """Memory per voxel while a box is computed: the finer voxels, and for the mean two float copies."""
        return math.prod(self.factors) * (self.dtype.itemsize * 2 if self._is_labels else self.dtype.itemsize + 16)

    def __getitem__(self, key: Any) -> Array:
        """Return a box whose slices have starts and stops but no steps."""
        box: Box = key
        z, y, x = (
            slice(max(part.start * factor - before, 0), min(part.stop * factor - before, extent))
            for part, factor, before, extent in zip(box, self.factors, self.lacking, self._finer.shape, strict=True)
        )
        at_z, at_y, at_x = (before if part.start == 0 else 0 for part, before in zip(box, self.lacking, strict=True))
        reduce = block_majority if self._is_labels else block_mean
        return reduce(self._finer.read(z, y, x), self.factors, (at_z, at_y, at_x))


@dataclass(frozen=True)
class CoarserLevel:
    """A level of a pyramid other than the finest.

    Attributes:
        factors: Downsampling from the next finer level along (z, y, x).
        shape: Voxels along (z, y, x).
        placement: Voxel size and offset, in the unit of the finest level.
    """

    factors: Shape3
    shape: Shape3
    placement: Placement


def coarser_levels(shape: Shape3, placement: Placement) -> list[CoarserLevel]:
    """Return the levels of a pyramid below the finest, given the shape and placement of the finest.

    The centre of a first block lies half a block minus half a voxel further.
    """
    levels: list[CoarserLevel] = []
    size, offset = placement.voxel_size_nm or (1.0, 1.0, 1.0), placement.offset_nm
    while factors := next_factors(shape, size):
        shape = coarser_shape(shape, factors)
        steps = zip(offset, size, factors, strict=True)
        offset = as_point([first + length * (factor - 1) / 2 for first, length, factor in steps])
        size = as_voxel_size([length * factor for length, factor in zip(size, factors, strict=True)]) or size
        levels.append(CoarserLevel(factors, shape, Placement(size, offset)))
    return levels
