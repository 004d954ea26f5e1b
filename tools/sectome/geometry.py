"""Conversions between voxels and nm, and between voxels and patches."""

from __future__ import annotations

from collections.abc import Sequence

from sectome.types import VoxelSize


def nm_to_voxels(length_nm: float, voxel_size_nm: VoxelSize) -> tuple[float, float, float]:
    """Return a length as voxels along (z, y, x)."""
    z, y, x = voxel_size_nm
    return length_nm / z, length_nm / y, length_nm / x


def anisotropy(voxel_size_nm: Sequence[float]) -> float:
    """Return how many times a voxel is longer along z than along the shorter of y and x."""
    return float(voxel_size_nm[0]) / float(min(voxel_size_nm[1:]))
