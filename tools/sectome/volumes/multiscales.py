"""Metadata of OME-Zarr images: the arrays of the levels, their voxel sizes and offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sectome.checks import InputError
from sectome.geometry import Placement, as_point, as_voxel_size, unit_in_nm
from sectome.types import AXES

VERSION = "0.5"


def multiscale_placements(attributes: Mapping[str, Any]) -> dict[str, Placement]:
    """Return the placement of each level by its path in the group; empty if the group is no OME-Zarr image.

    A level's transformations are applied first, then those of the whole image. Without a scale or without units there
    is no voxel size and no offset. Of several images the first is used.

    Args:
        attributes: Attributes of the group, OME-NGFF 0.4 or 0.5.

    Raises:
        InputError: If the last three axes are not z, y and x, in any order.
    """
    images = _images(attributes)
    return {str(level["path"]): _placement(images[0], level) for level in images[0]["datasets"]} if images else {}


def multiscale_axes(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the last three axes in stored order; WEBKNOSSOS, for example, stores x, y, z.

    Args:
        attributes: Attributes of a group that holds an image.

    Raises:
        InputError: If they are not z, y and x.
    """
    return _last_axes(_images(attributes)[0])


def multiscale_attributes(name: str, levels: Mapping[str, Placement], unit: str | None, method: str) -> dict[str, Any]:
    """Return the OME-NGFF 0.5 attributes of a group that holds an image (z, y, x) with these levels.

    Args:
        name: Name of the image.
        levels: Placement by path, finest first, each with a voxel size.
        unit: Unit of the placements; None if they are in voxels of the finest level.
        method: Downsampling method.
    """
    datasets = [
        {
            "path": path,
            "coordinateTransformations": [
                {"type": "scale", "scale": list(placement.voxel_size_nm or ())},
                {"type": "translation", "translation": list(placement.offset_nm)},
            ],
        }
        for path, placement in levels.items()
    ]
    axes = [{"name": axis, "type": "space", **({"unit": unit} if unit else {})} for axis in AXES]
    image = {"name": name, "axes": axes, "datasets": datasets, "type": method}
    return {"ome": {"version": VERSION, "multiscales": [image]}}


def _images(attributes: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    images: Sequence[Mapping[str, Any]] = attributes.get("ome", attributes).get("multiscales", [])
    return images


def _axes(image: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [axis if isinstance(axis, Mapping) else {"name": axis} for axis in image.get("axes", [])]


def _last_axes(image: Mapping[str, Any]) -> tuple[str, ...]:
    names = [str(axis["name"]).lower() for axis in _axes(image)]
    if len(names) >= 3 and sorted(names[-3:]) != sorted(AXES):
        raise InputError(f"expected OME-Zarr axes that end in z, y and x, got {names}")
    return tuple(names[-3:]) if len(names) >= 3 else AXES


def _placement(image: Mapping[str, Any], level: Mapping[str, Any]) -> Placement:
    axes, last = _axes(image), _last_axes(image)
    scale, translation = [1.0] * len(axes), [0.0] * len(axes)
    has_scale = False
    for transform in (*level.get("coordinateTransformations", []), *image.get("coordinateTransformations", [])):
        kind = transform.get("type")
        values: Sequence[float] = transform.get(kind, ())
        if kind in ("scale", "translation") and len(values) != len(axes):
            return Placement()
        if kind == "scale":
            has_scale = True
            scale = [length * factor for length, factor in zip(scale, values, strict=True)]
            translation = [position * factor for position, factor in zip(translation, values, strict=True)]
        elif kind == "translation":
            translation = [position + step for position, step in zip(translation, values, strict=True)]
    nm = [unit_in_nm(axis.get("unit")) for axis in axes[-3:]]
    if len(nm) < 3 or not has_scale or None in nm:
        return Placement()
    in_nm = {axis: length * (unit or 0) for axis, length, unit in zip(last, scale[-3:], nm, strict=True)}
    at_nm = {axis: position * (unit or 0) for axis, position, unit in zip(last, translation[-3:], nm, strict=True)}
    return Placement(as_voxel_size([in_nm[axis] for axis in AXES]), as_point([at_nm[axis] for axis in AXES]))
