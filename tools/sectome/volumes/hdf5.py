"""HDF5 files, each dataset one volume."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sectome.checks import InputError, first_line
from sectome.geometry import Placement
from sectome.replace import replacing
from sectome.types import AXES, Array, Shape3
from sectome.unfinished import Unfinished
from sectome.volumes.attributes import attributes_of, placement_from_attributes
from sectome.volumes.blocks import CHUNK, Source, iterate_blocks
from sectome.volumes.cache_size import bytes_of_chunks, cache_bytes
from sectome.volumes.reader import (
    DEFAULT_DATASET,
    Reader,
    absent_dataset,
    check_number_type,
    check_three_axes,
    choose_dataset,
    readable,
    unnamed_output,
)

_LEAST_BYTES = 2**20
_SLOTS = 100_003
"""Slots of HDF5's chunk cache: a prime far above the number of cached chunks, as HDF5 recommends."""


class Hdf5Reader(Reader):
    """A dataset (Z, Y, X) of an HDF5 file; without a name, the only 3D dataset."""

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        self._path = path
        self._file: h5py.File | None = None
        self._stored: h5py.Dataset | None = None
        # Without a chunk cache HDF5 reads part of a chunk row by row.
        self._cache_bytes = max(cache_bytes() // 4, _LEAST_BYTES)
        with h5py.File(path, "r") as file:
            self._dataset = dataset if dataset is not None else choose_dataset(_datasets(file), path)
            stored = file.get(self._dataset)
            if not isinstance(stored, h5py.Dataset):
                raise absent_dataset(self._dataset, _datasets(file), path)
            where = f"{path}:{self._dataset}"
            self.shape = check_three_axes(stored.shape or (), where)
            _check_order(stored, where)
            if stored.is_virtual:
                _check_sources(stored, path)
            self.dtype = check_number_type(stored.dtype, where)
            self.placement = placement_from_attributes(stored.attrs)

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X)."""
        if self._file is None:
            self._file = h5py.File(self._path, "r")
        if self._stored is None:
            self._stored = _open_dataset(self._file, self._dataset, self._cache_bytes)
        voxels: Array = self._stored[z, y, x]
        return voxels

    def keep_chunks_of(self, box: Shape3) -> None:
        """See `Volume.keep_chunks_of`."""
        with h5py.File(self._path, "r") as file:
            stored = file[self._dataset]
            if stored.chunks is not None:
                needed = bytes_of_chunks(box, stored.shape, stored.chunks, stored.dtype.itemsize)
                self._cache_bytes = min(needed, max(cache_bytes(), _LEAST_BYTES))
        self._stored = None


def _check_order(stored: h5py.Dataset, where: str) -> None:
    """Raise an `InputError` if ilastik's `axistags` or HDF5's dimension labels name axes that do not end in y, x."""
    if "axistags" in stored.attrs:
        names = [str(axis["key"]) for axis in json.loads(stored.attrs["axistags"])["axes"]]
    else:
        names = [dimension.label for dimension in stored.dims]
    if set(names) <= {"t", "c", *AXES} and names[1:] != ["y", "x"]:
        raise InputError(f"expected axes z, y, x, got {', '.join(names)} in {where}")


def _check_sources(stored: h5py.Dataset, path: Path) -> None:
    """Raise an `InputError` if a source file of a virtual dataset is missing: HDF5 would read its part as 0."""
    folders = (path.parent, path.resolve().parent, Path(os.environ.get("HDF5_VDS_PREFIX", "")))
    for name in sorted({source.file_name for source in stored.virtual_sources()}):
        found = any((folder / form).exists() for folder in folders for form in (name, Path(name).name))
        # A name with % is a pattern for however many files exist.
        if not found and "%" not in name:
            raise InputError(f"expected the file {name}, from which a virtual dataset in {path} is made, got none")


def _open_dataset(file: h5py.File, name: str, kept_bytes: int) -> h5py.Dataset:
    """Open a dataset with a least-recently-used cache of `kept_bytes` for decoded chunks."""
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(_SLOTS, kept_bytes, 0.0)
    return h5py.Dataset(h5py.h5d.open(file.id, name.encode(), access))


def write_hdf5(path: Path, dataset: str | None, source: Source, placement: Placement, progress: Unfinished) -> None:
    """Write a chunked dataset; a named one is added to an existing file.

    Integers of two or more bytes, which are mostly labels, are compressed with gzip, which every HDF5 library reads.
    """
    shape = tuple(source.shape)
    is_labels = source.dtype.kind in "iu" and source.dtype.itemsize > 1
    with replacing(path, adds=dataset is not None, unfinished=progress.output) as partial:
        if dataset is not None and path.exists():
            shutil.copyfile(path, partial)
        # Blocks are whole chunks, written once. Cached chunks would be written when the file is closed, and HDF5
        # crashes the process there if the disk is full.
        with _refused_by_system(), h5py.File(partial, "a", rdcc_nbytes=0) as file:
            name = dataset or DEFAULT_DATASET
            if name in file:
                del file[name]
            stored = file.create_dataset(
                name,
                shape=shape,
                dtype=source.dtype,
                chunks=tuple(min(part, extent) for part, extent in zip(CHUNK, shape, strict=True)),
                shuffle=is_labels,
                compression="gzip" if is_labels else None,
                compression_opts=1 if is_labels else None,
            )
            stored.attrs.update(attributes_of(placement))
            for box in iterate_blocks(source, CHUNK):
                stored[box] = np.asarray(source[box])


@contextmanager
def _refused_by_system() -> Iterator[None]:
    """Turn the `RuntimeError` that h5py raises if the system refuses the end of a file into an `OSError`."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(first_line(error)) from error


def check_output(path: Path, dataset: str | None) -> None:
    """Raise an `InputError` if an existing file would lose its datasets or cannot hold the named one."""
    if not path.exists():
        return
    if dataset is not None:
        with readable(path, "HDF5"), h5py.File(path, "r") as file:
            _check_place(file, dataset, path)
        return
    try:
        with h5py.File(path, "r") as file:
            datasets = _datasets(file)
    except OSError:
        return
    if len(datasets) > 1:
        raise unnamed_output(datasets, path)


def _check_place(file: h5py.File, name: str, path: Path) -> None:
    parts = name.split("/")
    for depth in range(1, len(parts)):
        if isinstance(file.get("/".join(parts[:depth])), h5py.Dataset):
            raise InputError(f"expected a group at {'/'.join(parts[:depth])!r} in {path}, got a dataset")
    if isinstance(file.get(name), h5py.Group):
        raise InputError(f"expected the name of a dataset in {path}, got the group {name!r}")


def _datasets(file: h5py.File) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = tuple(item.shape or ())

    file.visititems(collect)
    return found
