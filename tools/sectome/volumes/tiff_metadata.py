"""Voxel sizes and offsets in TIFF metadata: this package's JSON, OME-XML, ImageJ."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import tifffile

from sectome.geometry import Placement, as_point, as_voxel_size, unit_in_nm
from sectome.types import AXES, VoxelSize
from sectome.volumes.attributes import placement_from_attributes

_DIGITS = 9


def tiff_placement(file: tifffile.TiffFile) -> Placement:
    """Return a TIFF's voxel size along z, y and x, if it has a unit, and its offset.

    The resolution tags do not cover z, so they count only together with ImageJ's spacing. The offset comes from this
    package's JSON or from ImageJ's origin.
    """
    ome = _size_from_ome(file.ome_metadata)
    found = _from_json(file.pages.first.description) or (Placement(ome) if ome else _from_imagej(file))
    return found or Placement()


def imagej_origin(placement: Placement) -> dict[str, float]:
    """Return ImageJ's properties for an offset: the voxel (x, y, z) at the origin of space."""
    size = placement.voxel_size_nm
    if size is None or not any(placement.offset_nm):
        return {}
    return {f"{axis}origin": -placement.offset_nm[i] / size[i] for i, axis in enumerate(AXES)}


def _from_json(description: str) -> Placement | None:
    if not description.lstrip().startswith("{"):
        return None
    try:
        placement = placement_from_attributes(json.loads(description))
    except ValueError:
        return None
    return None if placement == Placement() else placement


def _size_from_ome(xml: str | None) -> VoxelSize | None:
    if not xml:
        return None
    try:
        pixels = ElementTree.fromstring(xml).find("{*}Image/{*}Pixels")
    except ElementTree.ParseError:
        return None
    if pixels is None:
        return None
    sizes = []
    for axis in "ZYX":
        # The schema's default unit is the micrometre.
        nm = unit_in_nm(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        length = pixels.get(f"PhysicalSize{axis}")
        if nm is None or length is None:
            return None
        sizes.append(float(length) * nm)
    return as_voxel_size(sizes)


def _from_imagej(file: tifffile.TiffFile) -> Placement | None:
    metadata = file.imagej_metadata or {}
    unit = metadata.get("unit")
    # ImageJ gives the units of y and z only if they differ from that of x.
    nm = [unit_in_nm(metadata.get(name, unit)) for name in ("zunit", "yunit", "unit")]
    tags = file.pages.first.tags
    lengths: list[float | None] = [metadata.get("spacing")]
    for name in ("YResolution", "XResolution"):
        pixels, units = tags[name].value if name in tags else (0, 0)
        lengths.append(units / pixels if pixels else None)
    size = as_voxel_size([length * one if length and one else None for length, one in zip(lengths, nm, strict=True)])
    if size is None:
        return None
    origin = [float(metadata.get(f"{axis}origin", 0)) for axis in AXES]
    return Placement(size, as_point([-at * length for at, length in zip(origin, size, strict=True)], digits=_DIGITS))
