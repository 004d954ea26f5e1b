"""Voxel sizes and offsets in the attributes of HDF5 and zarr datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sectome.geometry import Placement, as_point, as_voxel_size, unit_in_nm

_SIZES = ("voxel_size_nm", "voxel_size_nm_zyx", "element_size_um", "resolution", "voxel_size")
_OFFSETS = ("offset_nm", "offset_nm_zyx", "offset")
_IN_UNITS = ("resolution", "voxel_size", "offset")


def placement_from_attributes(attributes: Mapping[str, Any]) -> Placement:
    """Return voxel size and offset (z first) from a dataset's attributes.

    Known sizes are `voxel_size_nm`, ilastik's `element_size_um`, CREMI's `resolution` (nm) and funlib's `voxel_size`.
    Known offsets are `offset_nm`, and the `offset` of CREMI and funlib. `resolution`, `voxel_size` and `offset` are in
    the unit that the attribute `units` names, else in nm.
    """
    sizes = (as_voxel_size(*_triple(attributes, name)) for name in _SIZES)
    offset = next((found for name in _OFFSETS if (found := _triple(attributes, name))[0]), ([], None))
    return Placement(next(filter(None, sizes), None), as_point(*offset))


def attributes_of(placement: Placement) -> dict[str, list[float]]:
    """Return the attributes that this package writes: `voxel_size_nm`, and CREMI's `resolution` and `offset`."""
    attributes = {}
    if placement.voxel_size_nm is not None:
        attributes["voxel_size_nm"] = attributes["resolution"] = list(placement.voxel_size_nm)
    if any(placement.offset_nm):
        attributes["offset"] = list(placement.offset_nm)
    return attributes


def common_unit(units: Any) -> float | None:
    """Return a unit's length in nm, given once or equally for each axis; None if it is no unit of length."""
    names = {
        name.decode() if isinstance(name, bytes) else str(name) for name in np.atleast_1d(np.asarray(units)).tolist()
    }
    return unit_in_nm(names.pop()) if len(names) == 1 else None


def _triple(attributes: Mapping[str, Any], name: str) -> tuple[list[float], float | None]:
    """Return an attribute's three numbers and the length of their unit in nm; no numbers if it holds anything else."""
    values = np.atleast_1d(np.asarray(attributes.get(name, ())))
    if values.dtype.kind not in "iuf" or values.shape != (3,):
        return [], None
    if name in _IN_UNITS and "units" in attributes:
        return values.tolist(), common_unit(attributes["units"])
    return values.tolist(), 1e3 if name == "element_size_um" else 1.0
