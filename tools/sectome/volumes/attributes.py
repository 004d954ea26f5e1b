"""Voxel sizes in the attributes of HDF5 and zarr datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sectome.geometry import as_voxel_size, unit_in_nm
from sectome.types import VoxelSize

_NM_BY_ATTRIBUTE = {
    "voxel_size_nm": 1.0,
    "voxel_size_nm_zyx": 1.0,
    "element_size_um": 1e3,
    "resolution": 1.0,
    "voxel_size": 1.0,
}


def voxel_size_from_attributes(attributes: Mapping[str, Any]) -> VoxelSize | None:
    """Return the voxel size that a dataset's attributes give, z first, None if they give none.

    Read are `voxel_size_nm`, ilastik's `element_size_um`, CREMI's `resolution` (nm) and the `voxel_size` of funlib,
    the last two in the unit of the attribute `units` if there is one, else in nm.
    """
    for name, nm in _NM_BY_ATTRIBUTE.items():
        if name not in attributes:
            continue
        values = np.atleast_1d(np.asarray(attributes[name]))
        if values.dtype.kind not in "iuf":
            continue
        scale: float | None = nm
        if name in ("resolution", "voxel_size") and "units" in attributes:
            scale = _common_unit(attributes["units"])
        if (size := as_voxel_size(values.tolist(), scale)) is not None:
            return size
    return None


def attributes_of(voxel_size_nm: VoxelSize | None) -> dict[str, list[float]]:
    """Return the attributes that this package writes: `voxel_size_nm`, and `resolution` for readers of CREMI's."""
    if voxel_size_nm is None:
        return {}
    return {"voxel_size_nm": list(voxel_size_nm), "resolution": list(voxel_size_nm)}


def _common_unit(units: Any) -> float | None:
    names = {
        name.decode() if isinstance(name, bytes) else str(name) for name in np.atleast_1d(np.asarray(units)).tolist()
    }
    return unit_in_nm(names.pop()) if len(names) == 1 else None
