"""Patch, crop and offsets that suit a voxel size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sectome.geometry import are_alike
from sectome.neighbourhoods import ISOTROPIC, LONG_RANGE, NEAREST
from sectome.types import Offset, Shape3, VoxelSize

_EDGE_NM = 90.0
_IN_PLANE = (8, 16, 32)
_ACROSS = (1, 2, 4, 8, 16, 32)
_PATCHES: Shape3 = (4, 8, 8)
_CUBE: Shape3 = (8, 8, 8)
_CUBES: Shape3 = (6, 6, 6)


@dataclass(frozen=True)
class FittingSizes:
    """Sizes along (z, y, x) in voxels.

    Attributes:
        patch_size: powers of two.
        crop_size: multiples of the patch.
        isotropic: whether crops and voxels are cubes, so that crops may be rotated out of the section plane.
        offsets: `NEAREST`, and the longer steps of `ISOTROPIC` or `LONG_RANGE` that do not reach beyond the crop.
    """

    patch_size: Shape3
    crop_size: Shape3
    isotropic: bool
    offsets: tuple[Offset, ...]


def fitting_sizes(voxel_size_nm: VoxelSize, extent: Sequence[int]) -> FittingSizes:
    """Choose the sizes of a network's input: patches some 90 nm wide and as thick, or 8x8x8 cubic voxels.

    They agree with patches that were trained on real tissue: 2x8x8 voxels at 32x8x8 nm, 1x16x16 at 50x4.6x4.6 and 8x8x8
    at 8 and at 5 nm. Smaller patches have more tokens and were not measurably better. A crop has up to 256 patches.

    Args:
        voxel_size_nm: edge lengths along (z, y, x).
        extent: voxels along (z, y, x) of the smallest volume; a crop is no larger unless a single patch is.
    """
    z_nm, y_nm, x_nm = voxel_size_nm
    isotropic = are_alike((z_nm, z_nm, z_nm), voxel_size_nm)
    if isotropic:
        patch_size = _CUBE
        number = min(_patches_within(extent, patch_size, _CUBES))
        patches = (number, number, number)
    else:
        patch_y, patch_x = _nearest(_IN_PLANE, _EDGE_NM / y_nm), _nearest(_IN_PLANE, _EDGE_NM / x_nm)
        patch_size = (_nearest(_ACROSS, patch_x * x_nm / z_nm), patch_y, patch_x)
        patches = _patches_within(extent, patch_size, _PATCHES)
    z, y, x = (number * length for number, length in zip(patches, patch_size, strict=True))
    offsets = tuple(
        offset
        for offset in (ISOTROPIC if isotropic else LONG_RANGE)
        if offset in NEAREST or all(abs(step) < length for step, length in zip(offset, (z, y, x), strict=True))
    )
    return FittingSizes(patch_size, (z, y, x), isotropic, offsets)


def _patches_within(extent: Sequence[int], patch_size: Shape3, most: Shape3) -> Shape3:
    """Return how many patches fit along (z, y, x), at least one and at most `most`."""
    z, y, x = (
        max(1, min(number, length // part)) for number, length, part in zip(most, extent, patch_size, strict=True)
    )
    return z, y, x


def _nearest(sizes: Sequence[int], length: float) -> int:
    return min(sizes, key=lambda size: abs(size - length))
