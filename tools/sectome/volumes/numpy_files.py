"""NumPy's own formats: memory-mapped `.npy`, and `.npz` with named arrays."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sectome.geometry import Placement
from sectome.replace import replacing
from sectome.types import Array
from sectome.unfinished import Unfinished
from sectome.volumes.attributes import placement_from_attributes
from sectome.volumes.blocks import Source, iterate_sections
from sectome.volumes.reader import (
    DEFAULT_DATASET,
    Reader,
    absent_dataset,
    check_number_type,
    check_three_axes,
    choose_dataset,
    unnamed_output,
)

_SIZE_ARRAYS = ("voxel_size_nm_zyx", "voxel_size_nm")
_OFFSET_ARRAYS = ("offset_nm_zyx", "offset_nm")


class NpyReader(Reader):
    """A memory-mapped `.npy` array; the format cannot store a voxel size or an offset."""

    placement = Placement()

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        self._mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        self.shape = check_three_axes(self._mapped.shape, str(path))
        self.dtype = check_number_type(self._mapped.dtype, str(path))

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X)."""
        voxels: Array = self._mapped[z, y, x]
        return voxels


class NpzReader(Reader):
    """An array of an `.npz`; without a name, the only 3D array. It stays in memory after the first read."""

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        self._path = path
        headers = _headers(path)
        shapes = {name: shape for name, (shape, _) in headers.items()}
        self._name = dataset if dataset is not None else choose_dataset(shapes, path)
        if self._name not in headers:
            raise absent_dataset(self._name, shapes, path)
        shape, dtype = headers[self._name]
        self.shape = check_three_axes(shape, f"{path}:{self._name}")
        self.dtype = check_number_type(dtype, f"{path}:{self._name}")
        with np.load(path, allow_pickle=False) as arrays:
            self.placement = placement_from_attributes(
                {name: arrays[name] for name in (*_SIZE_ARRAYS, *_OFFSET_ARRAYS) if name in headers}
            )
        self._loaded: Array | None = None

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X)."""
        if self._loaded is None:
            with np.load(self._path, allow_pickle=False) as arrays:
                self._loaded = arrays[self._name]
            self._loaded.flags.writeable = False
        return self._loaded[z, y, x]


def write_npy(path: Path, dataset: str | None, source: Source, placement: Placement, progress: Unfinished) -> None:
    """Write a `.npy` section by section, with a warning if a voxel size or an offset is lost."""
    lost = [f"the voxel size {placement.voxel_size_nm} nm"] if placement.voxel_size_nm else []
    lost += [f"the offset {placement.offset_nm} nm"] if any(placement.offset_nm) else []
    if lost:
        warnings.warn(f"{path.name} cannot hold {' and '.join(lost)}", UserWarning, stacklevel=3)
    description = np.lib.format.dtype_to_descr(source.dtype)
    header = {"descr": description, "fortran_order": False, "shape": tuple(source.shape)}
    with replacing(path, unfinished=progress.output) as partial, open(partial, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for section in iterate_sections(source):
            file.write(section.tobytes())


def write_npz(path: Path, dataset: str | None, source: Source, placement: Placement, progress: Unfinished) -> None:
    """Write a compressed `.npz`, with the whole volume in memory; a named array is added to an existing file.

    Voxel size and offset are stored in the arrays `voxel_size_nm_zyx` and `offset_nm_zyx`, once for the whole file.
    """
    adds = dataset is not None
    with replacing(path, adds=adds, unfinished=progress.output) as partial, open(partial, "wb") as file:
        kept = _arrays_beside(path, dataset) if dataset is not None and path.exists() else {}
        _warn_of_changed(path, kept, placement)
        if placement.voxel_size_nm is not None:
            kept = {name: array for name, array in kept.items() if name not in _SIZE_ARRAYS}
            kept[_SIZE_ARRAYS[0]] = np.asarray(placement.voxel_size_nm, dtype=np.float64)
        kept = {name: array for name, array in kept.items() if name not in _OFFSET_ARRAYS}
        if any(placement.offset_nm):
            kept[_OFFSET_ARRAYS[0]] = np.asarray(placement.offset_nm, dtype=np.float64)
        kept[dataset or DEFAULT_DATASET] = np.asarray(source[...])
        np.savez_compressed(file, **kept)


def check_npz_output(path: Path, dataset: str | None) -> None:
    """Raise an `InputError` if an existing file would lose its other arrays."""
    if dataset is not None or not path.exists():
        return
    try:
        headers = _headers(path)
    except (OSError, ValueError, zipfile.BadZipFile):
        return
    volumes = {name: shape for name, (shape, _) in headers.items() if name not in (*_SIZE_ARRAYS, *_OFFSET_ARRAYS)}
    if len(volumes) > 1:
        raise unnamed_output(volumes, path)


def _arrays_beside(path: Path, dataset: str) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files if name != dataset}
    except (OSError, ValueError, zipfile.BadZipFile):
        return {}


def _warn_of_changed(path: Path, kept: dict[str, Any], placement: Placement) -> None:
    about = (*_SIZE_ARRAYS, *_OFFSET_ARRAYS)
    if not set(kept) - set(about):
        return
    before = placement_from_attributes({name: kept[name] for name in about if name in kept})
    size, new_size = before.voxel_size_nm, placement.voxel_size_nm
    if size and new_size and not np.allclose(size, new_size, rtol=1e-5, atol=0):
        _warn(path, f"voxel size for all of its arrays: {size} nm becomes {new_size} nm")
    if before.offset_nm != placement.offset_nm:
        _warn(path, f"offset for all of its arrays: {before.offset_nm} nm becomes {placement.offset_nm} nm")


def _warn(path: Path, what: str) -> None:
    warnings.warn(f"{path.name} holds one {what}", UserWarning, stacklevel=5)


def _headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and type of each array without reading its values."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.namelist():
            if not entry.endswith(".npy"):
                continue
            with archive.open(entry) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
            found[entry.removesuffix(".npy")] = (tuple(shape), dtype)
    return found
