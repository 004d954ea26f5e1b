"""Writing a volume in the format that the output's suffix names."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError, check_triple, first_line
from sectome.fingerprint import fingerprint
from sectome.geometry import ORIGIN, Placement, PointNm, as_point
from sectome.types import Array
from sectome.unfinished import Unfinished, unfinished
from sectome.volumes.blocks import CHUNK, Source, iterate_blocks
from sectome.volumes.formats import Location, locate_output
from sectome.volumes.progress import watched
from sectome.volumes.reader import check_number_type, check_three_axes
from sectome.volumes.volume import Volume


def write_volume(
    path: str | os.PathLike[str],
    array: Array | Volume | Any,
    *,
    voxel_size_nm: Sequence[float] | None = None,
    offset_nm: Sequence[float] | None = None,
) -> None:
    """Write a volume with its type, voxel size and offset; the output appears under its name once it is complete.

    A `Volume` is read and written in slabs, with a progress bar on a terminal. On this machine, unfinished output is
    kept in the folder PATH.run. Where it is zarr, OME-Zarr, N5 or precomputed, writing that was stopped at any moment
    resumes when called again, with the same result.

    If the format cannot store the voxel size or the offset, a `UserWarning` says so. An existing file is replaced. A
    dataset named after a colon joins the others in its container (`labels.h5:volumes/labels`). Missing folders are
    created.

    Args:
        path: The output. Its suffix names the format; no suffix or a trailing slash means a folder of sections.
        array: Voxels (Z, Y, X): booleans, integers or floats.
        voxel_size_nm: Edge lengths of a voxel along (z, y, x) in nm; by default those of a `Volume`.
        offset_nm: Position of the first voxel along (z, y, x) in nm; by default that of a `Volume`.

    Raises:
        InputError: If the suffix is unknown, the array does not have three axes, the format cannot hold its type, the
            output is a container or folder that holds something else, the system refuses to write it, another process
            is writing it, or it was begun with another volume.
    """
    output = locate_output(path)
    place, dataset, known = output
    source: Source = array if isinstance(array, Volume) else np.asarray(array)
    check_three_axes(tuple(source.shape), "the array to write")
    native = check_number_type(source.dtype, "the array to write")
    if isinstance(source, np.ndarray):
        source = source.astype(native, copy=False)
    size, offset = (array.voxel_size_nm, array.offset_nm) if isinstance(array, Volume) else (None, ORIGIN)
    if voxel_size_nm is not None:
        size = check_triple(voxel_size_nm, "voxel_size_nm")
    if offset_nm is not None:
        offset = _check_point(offset_nm)
    placement = Placement(size, offset)
    try:
        known.check_output(place, dataset)
        with _progress(output, source, placement) as progress:
            level, block = progress.done
            if level or block:
                print(f"continuing after block {block}{f' of level {level}' if level else ''}", flush=True)
            read = islice(iterate_blocks(source, CHUNK), None if level else block)
            voxels = sum(math.prod(part.stop - part.start for part in box) for box in read)
            with watched(source, f"write {place.name}", voxels) as slabs:
                known.write(place, dataset, slabs, placement, progress)
    except OSError as error:
        reason = first_line(error)
        raise InputError(f"expected a writable output, got {os.fspath(path)!r}: {reason}") from error


def write_result(
    path: str | os.PathLike[str], labels: Array, *, voxel_size_nm: Sequence[float], offset_nm: Sequence[float]
) -> None:
    """Write a computed volume as `write_volume` does; if that fails, save it as a TIFF beside the output instead.

    The number of objects, and so the type of their ids, is known only after the computation.

    Raises:
        InputError: if the result could not be written to `path`.
    """
    try:
        write_volume(path, labels, voxel_size_nm=voxel_size_nm, offset_nm=offset_nm)
    except InputError as error:
        place = locate_output(path).path
        if not isinstance(place, Path):
            raise
        kept = place.with_name(f"{place.name}.tif")
        write_volume(kept, labels, voxel_size_nm=voxel_size_nm, offset_nm=offset_nm)
        raise InputError(f"{error}; the result is in {kept}") from None


def _progress(output: Location, source: Source, placement: Placement) -> AbstractContextManager[Unfinished]:
    """Provide the progress of writing a volume to this machine; for an array, which has no name, there is none."""
    place, dataset, known = output
    if not (isinstance(place, Path) and isinstance(source, Volume)):
        return nullcontext(Unfinished())

    @lru_cache(maxsize=1)
    def section(z: int) -> Array:
        return source[z]

    def read(box: Sequence[slice]) -> Array:
        z, y, x = box
        if not source.decodes_sections:
            return source[z.start, y, x]
        # Sections are decoded whole: two of them have to do.
        return section(0 if 2 * z.start < source.shape[0] else source.shape[0] - 1)[y, x]

    plan = {
        "format": known.name,
        "dataset": dataset,
        "shape": source.shape,
        "dtype": source.dtype.name,
        "voxel_size_nm": placement.voxel_size_nm,
        "offset_nm": placement.offset_nm,
        "sample": fingerprint(source.shape, read),
        # Blocks are larger where sections are decoded, as in a compressed copy of the same voxels.
        "block": [part.stop for part in next(iterate_blocks(source, CHUNK))],
    }
    inside = f".{dataset.replace('/', '.')}" if dataset else ""
    return unfinished(Path(f"{os.path.realpath(place)}{inside}"), plan)


def _check_point(values: Sequence[float]) -> PointNm:
    try:
        point = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise InputError(f"offset_nm must be three numbers, z first, got {values!r}") from None
    if len(point) != 3 or not all(abs(value) < float("inf") for value in point):
        raise InputError(f"offset_nm must be three finite numbers, z first, got {list(values)}")
    return as_point(point)
