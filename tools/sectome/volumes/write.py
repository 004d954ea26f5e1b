"""Writing a volume in the format that the output's suffix names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from sectome.checks import InputError, check_triple
from sectome.types import Array
from sectome.volumes.blocks import Source
from sectome.volumes.formats import locate_output
from sectome.volumes.reader import check_number_type, check_three_axes
from sectome.volumes.volume import Volume


def write_volume(
    path: str | os.PathLike[str], array: Array | Volume | Any, *, voxel_size_nm: Sequence[float] | None = None
) -> None:
    """Write a volume, keeping its type and its voxel size; the output appears under its name when it is complete.

    A `Volume` is read and written in slabs. An existing file is replaced. A dataset named after a colon is put into
    its container beside the others (`labels.h5:volumes/labels`). Missing folders are created.

    Args:
        path: The output; its suffix names the format, no suffix or a final slash a folder of sections.
        array: Voxels (Z, Y, X): booleans, integers or floats.
        voxel_size_nm: Edge lengths of a voxel along (z, y, x) in nm; without it a `Volume` keeps its own.

    Raises:
        InputError: If the suffix is unknown, the array has not three axes, the format cannot hold its type, or the
            output is a container or folder that holds something else.
    """
    location = locate_output(path)
    source: Source = array if isinstance(array, Volume) else np.asarray(array)
    check_three_axes(tuple(source.shape), "the array to write")
    native = check_number_type(source.dtype, "the array to write")
    if isinstance(source, np.ndarray):
        source = source.astype(native, copy=False)
    size = array.voxel_size_nm if isinstance(array, Volume) else None
    if voxel_size_nm is not None:
        size = check_triple(voxel_size_nm, "voxel_size_nm")
    try:
        location.format.write(location.path, location.dataset, source, size)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise InputError(f"expected an output that can be written, got {os.fspath(path)!r}: {error}") from error
