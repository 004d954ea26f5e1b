"""OME-Zarr: which array is the full resolution, and how large its voxels are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sectome.checks import InputError
from sectome.geometry import as_voxel_size, unit_in_nm
from sectome.types import AXES, VoxelSize


def full_resolution(attributes: Mapping[str, Any]) -> str | None:
    """Return the path of level 0 inside of the group, None if the group is no OME-Zarr image."""
    images = _multiscales(attributes)
    return str(images[0]["datasets"][0]["path"]) if images else None


def multiscale_voxel_size(attributes: Mapping[str, Any], dataset: str) -> VoxelSize | None:
    """Return the voxel size in nm of one level, None if the group says none or gives no units.

    Args:
        attributes: Of the group, OME-NGFF 0.4 or 0.5.
        dataset: Path of the level inside of the group.

    Raises:
        InputError: If the last three axes are not z, y, x.
    """
    for image in _multiscales(attributes):
        for level in image["datasets"]:
            if str(level["path"]) == dataset:
                return _scaled(image, level)
    return None


def _scaled(image: Mapping[str, Any], level: Mapping[str, Any]) -> VoxelSize | None:
    axes = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in image.get("axes", [])]
    names = [str(axis["name"]).lower() for axis in axes]
    if len(names) >= 3 and tuple(names[-3:]) != AXES:
        raise InputError(f"expected OME-Zarr axes that end in z, y, x, got {names}")
    scale = [1.0] * len(axes)
    transforms = [*level.get("coordinateTransformations", []), *image.get("coordinateTransformations", [])]
    scales = [transform["scale"] for transform in transforms if transform.get("type") == "scale"]
    if len(axes) < 3 or not scales or any(len(factors) != len(axes) for factors in scales):
        return None
    for factors in scales:
        scale = [length * factor for length, factor in zip(scale, factors, strict=True)]
    nm = [unit_in_nm(axis.get("unit")) for axis in axes[-3:]]
    return as_voxel_size([None if unit is None else length * unit for length, unit in zip(scale[-3:], nm, strict=True)])


def _multiscales(attributes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    images: list[Mapping[str, Any]] = attributes.get("ome", attributes).get("multiscales", [])
    return images
