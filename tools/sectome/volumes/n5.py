"""N5 containers, each dataset one volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sectome.checks import InputError
from sectome.geometry import Placement
from sectome.json_object import write_json
from sectome.replace import replacing
from sectome.types import Array, Shape3
from sectome.unfinished import Unfinished
from sectome.volumes.blocks import CHUNK, Source, write_blocks
from sectome.volumes.levels import Level
from sectome.volumes.n5_metadata import (
    ATTRIBUTES,
    NODE_FILES,
    find_datasets,
    is_dataset,
    level_folders,
    n5_attributes,
    n5_placement,
    read_attributes,
    stored_shape,
)
from sectome.volumes.reader import (
    DEFAULT_DATASET,
    Reader,
    absent_dataset,
    check_number_type,
    check_three_axes,
    choose_dataset,
    unnamed_output,
)
from sectome.volumes.store_folder import Place, kvstore_of, name_below, reading_options
from sectome.volumes.tensorstore_process import LazyStore, open_store

_VERSION = "2.5.1"
_TYPES = (
    "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64",
)  # fmt: skip


class N5Reader(Reader):
    """A dataset (Z, Y, X) of a container, stored as (X, Y, Z); without a name, the only 3D dataset."""

    def __init__(self, path: Place, dataset: str | None = None) -> None:
        folder = path / dataset if dataset else path
        if not is_dataset(read_attributes(folder)):
            datasets = find_datasets(path) if isinstance(path, Path) else None
            if dataset is not None:
                raise absent_dataset(dataset, datasets, path)
            folder = path / choose_dataset(datasets, path)
        attributes = read_attributes(folder)
        if attributes.get("isLabelMultiset"):
            raise InputError(
                f"expected one number per voxel, got Paintera's label multisets in {folder}: convert them first"
            )
        self.shape = check_three_axes(stored_shape(attributes), str(folder))
        self.dtype = check_number_type(np.dtype(str(attributes["dataType"])), str(folder))
        self.placement = n5_placement(folder)
        self._store = LazyStore({"driver": "n5", "kvstore": kvstore_of(folder), **reading_options(path)})

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X), reading the blocks that it touches."""
        voxels: Array = self._store()[x, y, z].read().result()
        return voxels.T

    def keep_chunks_of(self, box: Shape3) -> None:
        """See `Volume.keep_chunks_of`."""
        self._store.keep_chunks_of(box[::-1])


def is_n5_node(folder: Place) -> bool:
    """Return whether the folder is an N5 container, group or dataset."""
    return folder.name.lower().endswith(".n5") or any((folder / name).is_file() for name in NODE_FILES)


def find_n5_levels(path: Place, dataset: str | None) -> tuple[Level, ...]:
    """Return the levels s0, s1, ... of a group, finest first; empty if the path is anything else."""
    group = path / dataset if dataset else path
    levels = []
    for folder in level_folders(group) if group.is_dir() and not is_dataset(read_attributes(group)) else ():
        shape = check_three_axes(stored_shape(read_attributes(folder)), str(folder))
        levels.append(Level(name_below(folder, path), shape, n5_placement(folder).voxel_size_nm))
    return tuple(levels)


def write_n5(path: Path, dataset: str | None, source: Source, placement: Placement, progress: Unfinished) -> None:
    """Write a dataset with gzip compression, which every N5 library reads; other datasets stay.

    Raises:
        InputError: If N5 cannot hold the type.
    """
    if source.dtype.name not in _TYPES:
        raise InputError(f"expected a type that N5 can hold ({', '.join(_TYPES)}), got {source.dtype.name}")
    name, unfinished = dataset or DEFAULT_DATASET, progress.output
    if path.exists():
        with replacing(path / name, unfinished=unfinished and unfinished / name) as partial:
            _write_dataset(partial, source, placement, progress)
        if not (path / ATTRIBUTES).exists():
            write_json({"n5": _VERSION}, path / ATTRIBUTES)
        return
    with replacing(path, adds=dataset is not None, unfinished=unfinished) as partial:
        _write_dataset(partial / name, source, placement, progress)
        write_json({"n5": _VERSION}, partial / ATTRIBUTES)


def _write_dataset(folder: Path, source: Source, placement: Placement, progress: Unfinished) -> None:
    shape = tuple(source.shape)
    chunk = [min(part, extent) for part, extent in zip(CHUNK, shape, strict=True)]
    metadata = {
        "dimensions": shape[::-1],
        "blockSize": chunk[::-1],
        "dataType": source.dtype.name,
        "compression": {"type": "gzip", "level": 1},
    }
    spec = {"driver": "n5", "kvstore": kvstore_of(folder), "metadata": metadata}
    store = open_store(spec, create=True, open=progress.output is not None, write=True)
    write_blocks(store.T, source, progress)
    write_json({**read_attributes(folder), **n5_attributes(placement)}, folder / ATTRIBUTES)


def check_output(path: Path, dataset: str | None) -> None:
    """Raise an `InputError` if the path is no container, would lose its datasets, or cannot hold the new one."""
    if not path.exists():
        return
    if not path.is_dir() or (any(path.iterdir()) and not (path / ATTRIBUTES).is_file()):
        raise InputError(f"expected an N5 container or nothing at {path}, got something else, which stays as it is")
    datasets = find_datasets(path)
    if dataset is None and set(datasets) - {DEFAULT_DATASET}:
        raise unnamed_output(datasets, path)
    if is_dataset(read_attributes(path)):
        raise InputError(f"expected an N5 container at {path}, got a dataset")
    name = dataset or DEFAULT_DATASET
    for parent in (parent for parent in Path(name).parents if parent.parts):
        if is_dataset(read_attributes(path / parent)):
            raise InputError(f"expected a group at {parent.as_posix()!r} in {path}, got a dataset")
    if (path / name).exists() and name not in datasets:
        raise InputError(f"expected the name of a dataset in {path}, got the group {name!r}")
