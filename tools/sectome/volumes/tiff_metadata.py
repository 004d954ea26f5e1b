"""Voxel sizes in the metadata of TIFF: this package's JSON, OME-XML, ImageJ."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import tifffile

from sectome.geometry import as_voxel_size, unit_in_nm
from sectome.types import VoxelSize
from sectome.volumes.attributes import voxel_size_from_attributes


def tiff_voxel_size(file: tifffile.TiffFile) -> VoxelSize | None:
    """Return the voxel size that a TIFF gives along z, y and x with a unit, None if it gives none.

    The resolution tags alone say nothing of z, so they count only together with ImageJ's spacing.
    """
    return _from_json(file.pages.first.description) or _from_ome(file.ome_metadata) or _from_imagej(file)


def _from_json(description: str) -> VoxelSize | None:
    if not description.lstrip().startswith("{"):
        return None
    try:
        return voxel_size_from_attributes(json.loads(description))
    except ValueError:
        return None


def _from_ome(xml: str | None) -> VoxelSize | None:
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


def _from_imagej(file: tifffile.TiffFile) -> VoxelSize | None:
    metadata = file.imagej_metadata or {}
    tags = file.pages.first.tags
    lengths: list[float | None] = [metadata.get("spacing")]
    for name in ("YResolution", "XResolution"):
        pixels, units = tags[name].value if name in tags else (0, 0)
        lengths.append(units / pixels if pixels else None)
    return as_voxel_size(lengths, unit_in_nm(metadata.get("unit")))
