"""Voxel sizes and offsets in the attributes of HDF5 and zarr datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sectome.geometry import Placement, as_point, as_voxel_size, unit_in_nm
from sectome.types import VoxelSize

_NM_BY_ATTRIBUTE = {
    "voxel_size_nm": 1.0,
    "voxel_size_nm_zyx": 1.0,
    "element_size_um": 1e3,
    "resolution": 1.0,
    "voxel_size": 1.0,
}
_NM_BY_OFFSET = {"offset_nm": 1.0, "offset_nm_zyx": 1.0, "offset": 1.0}
_IN_UNITS = ("resolution", "voxel_size", "offset")


def placement_from_attributes(attributes: Mapping[str, Any]) -> Placement:
    """Return the voxel size and the offset that a dataset's attributes give, z first.

    Read are `voxel_size_nm`, ilastik's `element_size_um`, CREMI's `resolution` (nm) and the `voxel_size` of funlib;
    `offset_nm`, and the `offset` of CREMI and funlib. `resolution`, `voxel_size` and `offset` count in the unit of the
    attribute `units` if there is one, else in nm.
    """
    offset = next((found for name, nm in _NM_BY_OFFSET.items() if (found := _triple(attributes, name, nm))), None)
    return Placement(_voxel_size(attributes), as_point(*(offset or ((), None))))


def attributes_of(placement: Placement) -> dict[str, list[float]]:
    """Return the attributes that this package writes: `voxel_size_nm`, and CREMI's `resolution` and `offset`."""
    attributes = {}
    if placement.voxel_size_nm is not None:
        attributes["voxel_size_nm"] = attributes["resolution"] = list(placement.voxel_size_nm)
    if any(placement.offset_nm):
        attributes["offset"] = list(placement.offset_nm)
    return attributes


def common_unit(units: Any) -> float | None:
    """Return how many nm a unit has that is given once or the same for each axis, None if it is no unit of length."""
    names = {
        name.decode() if isinstance(name, bytes) else str(name) for name in np.atleast_1d(np.asarray(units)).tolist()
    }
    return unit_in_nm(names.pop()) if len(names) == 1 else None


def _voxel_size(attributes: Mapping[str, Any]) -> VoxelSize | None:
    for name, nm in _NM_BY_ATTRIBUTE.items():
        found = _triple(attributes, name, nm)
        if found is not None and (size := as_voxel_size(*found)) is not None:
            return size
    return None


def _triple(attributes: Mapping[str, Any], name: str, nm: float) -> tuple[list[float], float | None] | None:
    """Return the numbers of an attribute and how many nm their unit has, None if there are no numbers."""
    if name not in attributes:
        return None
    values = np.atleast_1d(np.asarray(attributes[name]))
    if values.dtype.kind not in "iuf" or values.shape != (3,):
        return None
    return values.tolist(), common_unit(attributes["units"]) if name in _IN_UNITS and "units" in attributes else nm
