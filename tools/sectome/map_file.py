"""Maps of foreground, contour and distance on disk: a zarr array (C, Z, Y, X) with their names, or an .npy file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sectome.affinity_file import said_by_zarr
from sectome.checks import InputError, check_triple
from sectome.geometry import ORIGIN, PointNm
from sectome.types import Array, VoxelSize
from sectome.volumes.store_address import local_path
from sectome.volumes.tensorstore_process import open_zarr

MAPS = ("foreground", "contour", "distance")
"""What a network of mitochondria predicts, the distance only if it was taught to."""


@dataclass(frozen=True)
class MapFile:
    """Maps (2 or 3, Z, Y, X) in the order of `MAPS`: uint8, where 255 is 1, or floats."""

    maps: Array
    voxel_size_nm: VoxelSize
    offset_nm: PointNm


def read_maps(path: str | Path, voxel_size_nm: Sequence[float] | None = None) -> MapFile:
    """Read what prediction wrote, or map an .npy file (2 or 3, Z, Y, X) into memory.

    Args:
        path: a .zarr folder that knows its voxel size, or an .npy file that does not.
        voxel_size_nm: of an .npy file: (z, y, x).

    Raises:
        InputError: if there is no such file, or it holds something else.
    """
    file = local_path(path, "maps")
    read = _read_npy if file.suffix == ".npy" else _read_zarr
    found = read(file, voxel_size_nm)
    if found.maps.ndim != 4 or found.maps.shape[0] not in (2, 3):
        raise InputError(f"maps must be (2 or 3, Z, Y, X), {', '.join(MAPS)}, got shape {found.maps.shape} in {path}")
    return found


def _read_npy(path: Path, voxel_size_nm: Sequence[float] | None) -> MapFile:
    if not path.is_file():
        raise InputError(f"a file of maps was expected at {path}, got none")
    if voxel_size_nm is None:
        raise InputError(f"voxel_size_nm must be given for {path}, which does not say it")
    try:
        maps = np.load(path, mmap_mode="r")
    except ValueError as error:
        raise InputError(f"{path} must be a NumPy array, got: {error}") from None
    return MapFile(maps, check_triple(voxel_size_nm, "voxel_size_nm"), ORIGIN)


def _read_zarr(path: Path, voxel_size_nm: Sequence[float] | None) -> MapFile:
    if voxel_size_nm is not None:
        raise InputError(f"{path} says its voxel size itself: voxel_size_nm is for .npy files")
    names, size_nm, at_nm = said_by_zarr(path, "maps", "channels", tuple)
    if names != MAPS[: len(names)]:
        raise InputError(f"{path} must hold the maps {', '.join(MAPS)}, the last one or not, got {', '.join(names)}")
    return MapFile(np.asarray(open_zarr(path).read().result()), size_nm, at_nm)
