"""Writing zarr v3 through tensorstore, each chunk exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.geometry import Placement
from sectome.json_object import write_json
from sectome.replace import replacing
from sectome.types import AXES
from sectome.unfinished import Unfinished
from sectome.volumes.attributes import attributes_of
from sectome.volumes.blocks import CHUNK, Source, write_blocks
from sectome.volumes.multiscales import multiscale_placements
from sectome.volumes.reader import unnamed_output
from sectome.volumes.store_folder import Place, StoreFolder, denied, errors_of_store, kvstore_of
from sectome.volumes.tensorstore_process import open_store
from sectome.volumes.zarr_metadata import Node, find_arrays, is_zarr_node, read_node

# Metadata of an N5 group and of a precomputed volume.
_FOREIGN = ("attributes.json", "info")


def write_zarr(path: Place, dataset: str | None, source: Source, placement: Placement, progress: Unfinished) -> None:
    """Write a zarr v3 array with zstd compression, at `path` or as `dataset` in a group there.

    An existing array is replaced once the new one is complete; other arrays of the group stay.
    """
    with new_node(path, dataset, progress.output) as folder:
        write_array(folder, source, placement, progress)


@contextmanager
def new_node(path: Place, dataset: str | None, unfinished: Path | None) -> Iterator[Place]:
    """Provide a folder to write an array or an image into, which is renamed once it is complete.

    An object store cannot rename. There the folder is the output's own from the start and nothing existing is replaced.
    What makes it a volume is written last: its `zarr.json`, then those of the groups around it.

    Args:
        path: The output.
        dataset: The node inside of it.
        unfinished: See `replacing`; the root that holds the node until it is complete.
    """
    if isinstance(path, StoreFolder):
        with errors_of_store(path):
            yield path / dataset if dataset else path
            if dataset:
                _make_groups(path, dataset)
        return
    if dataset is None:
        with replacing(path, unfinished=unfinished) as partial:
            yield partial
    elif path.exists():
        # Create the groups first: empty groups do no harm if the array is never completed.
        _make_groups(path, dataset)
        with replacing(path / dataset, unfinished=unfinished and unfinished / dataset) as partial:
            yield partial
    else:
        with replacing(path, adds=True, unfinished=unfinished) as partial:
            _make_groups(partial, dataset)
            yield partial / dataset


def list_labels(root: Place, dataset: str) -> None:
    """Add a label image to the list of its parent group `labels` (OME-NGFF 0.5), if it has such a parent.

    Args:
        root: The outermost group.
        dataset: Path of the image inside it.
    """
    group, name = PurePath(dataset).parent, PurePath(dataset).name
    if group.name != "labels":
        return
    metadata = root / group.as_posix() / "zarr.json"
    content = json.loads(metadata.read_text(encoding="utf-8"))
    listed = content.setdefault("attributes", {}).setdefault("ome", {"version": "0.5"}).setdefault("labels", [])
    if name not in listed:
        listed.append(name)
        with errors_of_store(root):
            _replace_json(metadata, content)


def write_array(
    folder: Place, source: Source, placement: Placement, progress: Unfinished, voxel_bytes: int | None = None
) -> None:
    """Write a zarr v3 array (Z, Y, X) block by block, its metadata after its voxels.

    Args:
        folder: The array's folder.
        source: The voxels, read block by block.
        placement: Voxel size and offset.
        progress: Which blocks are written.
        voxel_bytes: Memory per voxel while a block is computed; by default the size of the type.

    Raises:
        InputError: If an object store already holds something there.
    """
    _check_nothing_at(folder)
    shape = tuple(source.shape)
    metadata = array_metadata(shape, source.dtype, placement)
    spec = {"driver": "zarr3", "kvstore": kvstore_of(folder), "metadata": metadata}
    store = open_store(spec, open=True, assume_metadata=True, write=True)
    write_blocks(store, source, progress, voxel_bytes)
    open_store(spec, create=True, open=progress.output is not None, write=True)
    if isinstance(folder, StoreFolder):
        folder.forget_absent()


def array_metadata(shape: tuple[int, ...], dtype: np.dtype[Any], placement: Placement) -> dict[str, Any]:
    """Return the `zarr.json` of an array (Z, Y, X): chunks of `CHUNK` voxels, compressed with zstd."""
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


def check_output(path: Place, dataset: str | None) -> None:
    """Raise an `InputError` if writing a node there would destroy existing data, or is not possible.

    For example, a v2 group cannot hold a v3 node.
    """
    if isinstance(path, StoreFolder):
        _check_store(path, dataset)
    else:
        _check_folder(path, dataset)


def _check_store(path: StoreFolder, dataset: str | None) -> None:
    folders = [path]
    for part in PurePath(dataset or "").parts:
        folders.append(folders[-1] / part)
    for folder in folders[:-1]:
        if (node := read_node(folder)) is not None:
            _check_group(node, str(folder))
    _check_nothing_at(folders[-1])


def _check_nothing_at(folder: Place) -> None:
    if not isinstance(folder, StoreFolder):
        return
    if read_node(folder) is not None or any((folder / name).is_file() for name in _FOREIGN):
        raise InputError(
            f"expected nothing at {folder}, got a volume or a part of one: what is in an object store is not replaced, "
            "remove it first or choose another name"
        )
    if folder.is_denied:
        raise denied(folder)


def _check_folder(path: Path, dataset: str | None) -> None:
    if not path.exists():
        return
    if not path.is_dir() or (any(path.iterdir()) and not is_zarr_node(path)):
        raise InputError(f"expected a zarr folder or nothing at {path}, got something else, which stays as it is")
    if dataset is None:
        root = read_node(path)
        if root is not None and not _is_one_volume(root, path):
            raise unnamed_output(find_arrays(path), path)
        return
    parts = Path(dataset).parts
    for depth in range(len(parts) + 1):
        node = read_node(path.joinpath(*parts[:depth]))
        if node is None:
            continue
        where = "/".join((path.name, *parts[:depth]))
        if depth < len(parts) or node.version == 2:
            _check_group(node, where)
        if depth == len(parts) and not _is_one_volume(node, path / dataset):
            raise InputError(f"expected the name of an array, got the group {where}")


def _check_group(node: Node, where: str) -> None:
    if node.version == 2:
        raise InputError(f"expected a zarr v3 group to write into, got zarr v2 at {where}")
    if node.is_array:
        raise InputError(f"expected a group at {where}, got an array")


def _is_one_volume(node: Node, folder: Path) -> bool:
    """Return whether the node is an array, an image without further arrays than its levels, or an empty group."""
    return node.is_array or set(find_arrays(folder)) <= set(multiscale_placements(node.attributes))


def _make_groups(root: Place, dataset: str) -> None:
    folders = [root, *(root / parent.as_posix() for parent in reversed(PurePath(dataset).parents) if parent.parts)]
    # In an object store the outermost group comes last: it makes the new node visible.
    for folder in reversed(folders) if isinstance(root, StoreFolder) else folders:
        metadata = folder / "zarr.json"
        content = group_metadata({})
        if metadata.is_file():
            content = json.loads(metadata.read_text(encoding="utf-8"))
            # Consolidated metadata would hide the new array from zarr-python.
            if content.pop("consolidated_metadata", None) is None:
                continue
        _replace_json(metadata, content)


def _replace_json(file: Place, content: dict[str, Any]) -> None:
    if isinstance(file, StoreFolder):
        file.write_text(json.dumps(content, indent=2), encoding="utf-8")
    else:
        write_json(content, file)


def group_metadata(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a zarr v3 group's `zarr.json`."""
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}
