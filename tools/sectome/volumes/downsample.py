"""Coarser levels of a volume, made box by box from the finer one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sectome.geometry import Placement, as_point, as_voxel_size
from sectome.types import Array, Shape3, VoxelSize
from sectome.volumes.indexing import Box
from sectome.volumes.reader import Reader

_COARSEST_VOXELS = 64


def next_factors(shape: Shape3, voxel_size: VoxelSize) -> Shape3 | None:
    """Return by how much the next level is coarser along (z, y, x), None if there is no need of one.

    Axes whose voxels are less than twice as long as the shortest are halved, so that levels become isotropic. An axis
    of one voxel stays.

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


def block_mean(voxels: Array, factors: Shape3) -> Array:
    """Return the mean of each block of voxels, rounded for integers; a block at the far end holds what there is.

    Args:
        voxels: (Z, Y, X).
        factors: Voxels of a block along (z, y, x).
    """
    mean = voxels.astype(np.float64 if voxels.dtype.itemsize > 4 else np.float32)
    for axis, factor in enumerate(factors):
        starts = np.arange(0, voxels.shape[axis], factor)
        counts = np.diff(starts, append=voxels.shape[axis])
        mean = np.add.reduceat(mean, starts, axis=axis)
        mean = mean / np.expand_dims(counts, tuple(other for other in range(3) if other != axis)).astype(mean.dtype)
    return (mean if voxels.dtype.kind == "f" else np.rint(mean)).astype(voxels.dtype)


class Downsampled:
    """A coarser level as a source (Z, Y, X), read box by box.

    Args:
        finer: The level to make it from.
        factors: Voxels along (z, y, x) that become one.
        is_labels: Take the first voxel of each block in place of the mean.
    """

    def __init__(self, finer: Reader, factors: Shape3, is_labels: bool) -> None:
        z, y, x = (-(-extent // factor) for extent, factor in zip(finer.shape, factors, strict=True))
        self.shape: Shape3 = (z, y, x)
        self.dtype = finer.dtype
        self.factors = factors
        self._finer = finer
        self._is_labels = is_labels

    @property
    def voxel_bytes(self) -> int:
        """Memory that a voxel takes while its box is made: the finer voxels, and two copies as float for the mean."""
        return math.prod(self.factors) * (self.dtype.itemsize + (0 if self._is_labels else 16))

    def __getitem__(self, key: Any) -> Array:
        """Return a box given with starts, stops and no steps."""
        box: Box = key
        step = self.factors if self._is_labels else (1, 1, 1)
        z, y, x = (
            slice(part.start * factor, min(part.stop * factor, extent), each)
            for part, factor, extent, each in zip(box, self.factors, self._finer.shape, step, strict=True)
        )
        voxels = self._finer.read(z, y, x)
        return voxels if self._is_labels else block_mean(voxels, self.factors)

    def placement_from(self, finer: Placement) -> Placement:
        """Return size and offset of the voxels: the centre of a first block lies half a block less half a voxel on."""
        size = finer.voxel_size_nm or (1.0, 1.0, 1.0)
        steps = zip(finer.offset_nm, size, self.factors, strict=True)
        return Placement(
            as_voxel_size([length * factor for length, factor in zip(size, self.factors, strict=True)]),
            as_point([offset + length * (factor - 1) / 2 for offset, length, factor in steps]),
        )
