"""Writing zarr v3 through tensorstore, each chunk once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.geometry import Placement
from sectome.types import AXES
from sectome.volumes.attributes import attributes_of
from sectome.volumes.blocks import CHUNK, Source, iterate_blocks
from sectome.volumes.multiscales import multiscale_placements
from sectome.volumes.reader import list_datasets
from sectome.volumes.replace import replacing
from sectome.volumes.tensorstore_process import open_store
from sectome.volumes.zarr_metadata import Node, find_arrays, is_zarr_node, read_node


def write_zarr(path: Path, dataset: str | None, source: Source, placement: Placement) -> None:
    """Write a zarr v3 array, compressed by zstd: at `path`, or as `dataset` in a group there.

    An array that was there is replaced when the new one is complete; other arrays of the group stay.

    Raises:
        InputError: If `path` holds something that would be lost, or a v2 group, which cannot hold a v3 array.
    """
    with new_node(path, dataset) as folder:
        write_array(folder, source, placement)


@contextmanager
def new_node(path: Path, dataset: str | None) -> Iterator[Path]:
    """Give a folder to write an array or an image into; it takes its name when it is complete.

    Raises:
        InputError: If `path` holds something that would be lost, or a v2 group, which cannot hold a v3 node.
    """
    _check_output(path, dataset)
    if dataset is None:
        with replacing(path) as partial:
            yield partial
    elif path.exists():
        # Groups come first: until the array is renamed into them they are empty, and do no harm if it never is.
        _make_groups(path, dataset)
        with replacing(path / dataset) as partial:
            yield partial
    else:
        with replacing(path) as partial:
            _make_groups(partial, dataset)
            yield partial / dataset


def write_array(folder: Path, source: Source, placement: Placement, voxel_bytes: int | None = None) -> None:
    """Write a zarr v3 array (Z, Y, X) by blocks.

    Args:
        folder: Where the array goes.
        source: What is read by block.
        placement: For the array's attributes.
        voxel_bytes: Memory that a voxel takes while its block is made; without it its own size.
    """
    shape = tuple(source.shape)
    metadata = array_metadata(shape, source.dtype, placement)
    kvstore = {"driver": "file", "path": f"{folder}/"}
    store = open_store({"driver": "zarr3", "kvstore": kvstore, "metadata": metadata}, create=True, write=True)
    for box in iterate_blocks(shape, voxel_bytes or source.dtype.itemsize, CHUNK):
        store[box].write(np.ascontiguousarray(source[box])).result()


def array_metadata(shape: tuple[int, ...], dtype: np.dtype[Any], placement: Placement) -> dict[str, Any]:
    """Return what the `zarr.json` of an array (Z, Y, X) says: chunks of `CHUNK` voxels, compressed by zstd."""
    chunk = [min(part, extent) for part, extent in zip(CHUNK, shape, strict=True)]
    compressor = {"cname": "zstd", "clevel": 3, "shuffle": "shuffle" if dtype.itemsize > 1 else "noshuffle"}
    metadata: dict[str, Any] = {
        "shape": shape,
        "data_type": dtype.name,
        "dimension_names": AXES,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "codecs": [{"name": "bytes"}, {"name": "blosc", "configuration": compressor}],
        "attributes": attributes_of(placement),
    }
    if dtype.itemsize > 1:
        metadata["codecs"][0]["configuration"] = {"endian": "little"}
    return metadata


def _check_output(path: Path, dataset: str | None) -> None:
    if not path.exists():
        return
    if not path.is_dir() or (any(path.iterdir()) and not is_zarr_node(path)):
        raise InputError(f"expected a zarr folder or nothing at {path}, got something else, which stays as it is")
    if dataset is None:
        root = read_node(path)
        if root is not None and not _is_one_volume(root):
            raise InputError(
                f"expected the name of an array, as in {path.name}:volume, because {path} exists and would lose its "
                f"other arrays, got none (there is {list_datasets(find_arrays(path))})"
            )
        return
    parts = Path(dataset).parts
    for depth in range(len(parts) + 1):
        node = read_node(path.joinpath(*parts[:depth]))
        if node is None:
            continue
        where = "/".join((path.name, *parts[:depth]))
        if node.version == 2:
            raise InputError(f"expected a zarr v3 group to write into, got zarr v2 at {where}")
        if node.is_array and depth < len(parts):
            raise InputError(f"expected a group at {where}, got an array")
        if depth == len(parts) and not _is_one_volume(node):
            raise InputError(f"expected the name of an array, got the group {where}")


def _is_one_volume(node: Node) -> bool:
    """Return whether a node is an array, an image with all of its levels, or an empty group."""
    return node.is_array or set(find_arrays(node.folder)) <= set(multiscale_placements(node.attributes))


def _make_groups(root: Path, dataset: str) -> None:
    folders = [root, *(root / parent for parent in reversed(Path(dataset).parents) if parent.parts)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        metadata = folder / "zarr.json"
        content = group_metadata({})
        if metadata.is_file():
            content = json.loads(metadata.read_text(encoding="utf-8"))
            # Consolidated metadata would hide the new array from zarr-python.
            if content.pop("consolidated_metadata", None) is None:
                continue
        with replacing(metadata) as partial:
            partial.write_text(json.dumps(content, indent=2), encoding="utf-8")


def group_metadata(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a group's `zarr.json`."""
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}
