"""JSON metadata of N5 groups and datasets; their (X, Y, Z) is reversed to (Z, Y, X) here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from sectome.checks import InputError
from sectome.geometry import LEAST_NM, Placement, as_point, as_voxel_size, unit_in_nm
from sectome.types import AXES, VoxelSize
from sectome.volumes.attributes import common_unit
from sectome.volumes.reader import Datasets
from sectome.volumes.store_folder import Place, StoreFolder, fetch

ATTRIBUTES = "attributes.json"
NODE_FILES = (ATTRIBUTES, f"s0/{ATTRIBUTES}", f"data/s0/{ATTRIBUTES}")
"""Every dataset and every group of levels has at least one of these files."""

_LEVEL = re.compile(r"s\d+")
_LEVELS_AT_ONCE = 8


def read_attributes(folder: Place) -> dict[str, Any]:
    """Return the attributes of a group or dataset; empty if it has no `attributes.json`.

    Raises:
        InputError: If its JSON is damaged.
    """
    file = folder / ATTRIBUTES
    if not file.is_file():
        return {}
    try:
        attributes: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(attributes, dict):
            raise ValueError(f"got a {type(attributes).__name__}")
    except ValueError as error:
        raise InputError(f"expected a JSON object in {file}, got something else: {error}") from error
    return attributes


def is_dataset(attributes: Mapping[str, Any]) -> bool:
    """Return whether these are the attributes of a dataset."""
    return "dimensions" in attributes and "dataType" in attributes


def stored_shape(attributes: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the extents of a dataset, z first."""
    return tuple(int(extent) for extent in reversed(attributes["dimensions"]))


def find_datasets(root: Path) -> Datasets:
    """Return the shape (z first) of every dataset of a container, by its path relative to `root`."""
    return {
        folder.relative_to(root).as_posix(): stored_shape(attributes)
        for folder, attributes in _walk(root)
        if folder != root
    }


def level_folders(group: Place) -> list[Place]:
    """Return the datasets s0, s1, ... of a group, or of its `data` as Paintera stores labels; finest first."""
    for folder in (group, group / "data"):
        if found := [child for child in _children_like_levels(folder) if is_dataset(read_attributes(child))]:
            return sorted(found, key=lambda child: int(child.name[1:]))
    return []


def n5_placement(folder: Place) -> Placement:
    """Return voxel size and offset of a dataset.

    In CREMI's exports `resolution` and `offset` belong to the dataset, in Paintera to the group of levels. n5-viewer's
    `pixelResolution` is that of level s0; the voxels of a level are `downsamplingFactors` times as long. What a level
    lacks is taken from its group or from s0 beside it. Its factors are taken from the group's list
    (`downsamplingFactors` or `scales`), unless the level has a `pixelResolution`, which is then its own, as in COSEM.
    Numbers are x first unless `axes` says z first. Their unit is `units`, else nm if that gives a plausible voxel size:
    BigDataViewer states its unit, often µm, only in a separate XML file. COSEM's `transform` names its axes; all others
    take precedence over it.
    """
    own = read_attributes(folder)
    inherited = {}
    if _LEVEL.fullmatch(folder.name):
        parents = [folder.parent / "s0", folder.parent, folder.parent.parent]
        inherited = {
            key: value
            for parent in reversed(parents)
            for key, value in read_attributes(parent).items()
            if (key, parent.name) != ("downsamplingFactors", "s0")
        }
    attributes = {**inherited, **own}
    size = _own_resolution(own)
    if size is None and (base := _pixel_resolution(attributes) or _own_resolution(attributes)) is not None:
        factors = _factors(folder, own, attributes)
        size = as_voxel_size([length * factor for length, factor in zip(base, factors, strict=True)])
    transform = _transform(own)
    placed = own if own.keys() & {"offset", "transform"} else attributes
    size, offset = size or transform.voxel_size_nm, placed.get("offset")
    why = "its resolution has no unit and cannot be in nm" if "resolution" in attributes and not size else ""
    if not isinstance(offset, list):
        return Placement(size, transform.offset_nm, why)
    return Placement(size, as_point(_z_first(offset, placed), _unit(placed)), why)


def n5_attributes(placement: Placement) -> dict[str, Any]:
    """Return the attributes that this package writes, x first, for Paintera and n5-viewer."""
    # Write an offset of 0 too: a level without an offset inherits that of its group.
    offset = list(reversed(placement.offset_nm))
    attributes: dict[str, Any] = {"axes": list(reversed(AXES)), "units": ["nm"] * 3, "offset": offset}
    if placement.voxel_size_nm is not None:
        size = list(reversed(placement.voxel_size_nm))
        attributes |= {"resolution": size, "pixelResolution": {"dimensions": size, "unit": "nm"}}
    return attributes


def _children_like_levels(folder: Place) -> list[Place]:
    if isinstance(folder, StoreFolder):
        # Request a server's levels by number, several at once, until one is missing.
        fetch(folder / f"s{number}" / ATTRIBUTES for number in range(_LEVELS_AT_ONCE))
        numbered = (folder / f"s{number}" for number in count())
        return list(takewhile(lambda child: (child / ATTRIBUTES).is_file(), numbered))
    return [child for child in (folder.iterdir() if folder.is_dir() else ()) if _LEVEL.fullmatch(child.name)]


def _own_resolution(attributes: Mapping[str, Any]) -> VoxelSize | None:
    values = attributes.get("resolution")
    size = as_voxel_size(_z_first(values, attributes), _unit(attributes)) if isinstance(values, list) else None
    return size if size and ("units" in attributes or min(size) >= LEAST_NM) else None


def _pixel_resolution(attributes: Mapping[str, Any]) -> VoxelSize | None:
    stored = attributes.get("pixelResolution")
    if isinstance(stored, dict):
        values, nm = stored.get("dimensions", []), unit_in_nm(stored.get("unit"))
    elif isinstance(stored, list):
        values, nm = stored, _unit(attributes)
    else:
        return None
    return as_voxel_size(_z_first(values, attributes), nm)


def _transform(attributes: Mapping[str, Any]) -> Placement:
    stored = attributes.get("transform")
    if not isinstance(stored, dict) or sorted(stored.get("axes", [])) != sorted(AXES):
        return Placement()
    nm, places = _unit(stored), [stored["axes"].index(axis) for axis in AXES]
    scale, translate = (
        [values[place] for place in places] if isinstance(values, list) and len(values) == len(AXES) else []
        for values in (stored.get("scale"), stored.get("translate"))
    )
    return Placement(as_voxel_size(scale, nm), as_point(translate, nm))


def _factors(folder: Place, own: Mapping[str, Any], attributes: Mapping[str, Any]) -> list[float]:
    """Return how many times longer a dataset's voxels are than those that the resolution refers to."""
    factors = own.get("downsamplingFactors")
    if factors is None and "pixelResolution" not in own and _LEVEL.fullmatch(folder.name):
        number = int(folder.name[1:])
        of_levels = attributes.get("downsamplingFactors", attributes.get("scales"))
        factors = of_levels[number] if isinstance(of_levels, list) and number < len(of_levels) else None
    return _z_first(factors, attributes) if isinstance(factors, list) and len(factors) == 3 else [1.0] * 3


def _unit(attributes: Mapping[str, Any]) -> float | None:
    return common_unit(attributes["units"]) if "units" in attributes else 1.0


def _z_first(values: list[float], attributes: Mapping[str, Any]) -> list[float]:
    return list(values) if attributes.get("axes") == list(AXES) else list(reversed(values))


def _walk(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    # Never list a dataset's folder: it can hold millions of blocks.
    attributes = read_attributes(folder)
    if is_dataset(attributes):
        yield folder, attributes
        return
    for child in sorted(folder.iterdir()):
        # Unfinished outputs have hidden names, also after a killed write.
        if child.is_dir() and not child.name.startswith("."):
            yield from _walk(child)
