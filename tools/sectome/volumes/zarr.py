"""Zarr v2 and v3: an array, an array in a group, an OME-Zarr image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sectome.types import Array, VoxelSize
from sectome.volumes.attributes import voxel_size_from_attributes
from sectome.volumes.multiscales import full_resolution, multiscale_voxel_size
from sectome.volumes.reader import absent_dataset, check_three_axes, choose_dataset
from sectome.volumes.tensorstore_process import check_not_forked, open_store
from sectome.volumes.zarr_metadata import Node, find_arrays, is_zarr_node, read_node
from sectome.volumes.zarr_writer import write_zarr

__all__ = ["ZarrReader", "is_zarr_node", "write_zarr"]


class ZarrReader:
    """An array (Z, Y, X), or (1, ..., 1, Z, Y, X) as OME-Zarr stores it.

    A group stands for its only 3D array, an OME-Zarr image for its full resolution.
    """

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        node = _find_array(path, dataset)
        self._node = node
        self._store: Any = None
        leading = node.shape[:-3]
        self._leading = len(leading) if all(extent == 1 for extent in leading) else 0
        self.shape = check_three_axes(node.shape[self._leading :], str(node.folder))
        self.dtype = node.dtype
        self.voxel_size_nm = voxel_size_from_attributes(node.attributes) or _size_from_parent(node, path)

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X), reading the chunks that it touches."""
        check_not_forked()
        if self._store is None:
            self._store = open_store(
                {
                    "driver": "zarr3" if self._node.version == 3 else "zarr",
                    "kvstore": {"driver": "file", "path": f"{self._node.folder}/"},
                },
                open=True,
                read=True,
            )
        voxels: Array = self._store[(0,) * self._leading + (z, y, x)].read().result()
        return voxels


def _find_array(path: Path, dataset: str | None) -> Node:
    folder = path / dataset if dataset else path
    node = read_node(folder) if folder.is_dir() else None
    if node is not None and node.is_array:
        return node
    if node is not None and (level := full_resolution(node.attributes)) is not None:
        return _find_array(folder, level)
    arrays = find_arrays(path)
    if dataset is None:
        return _find_array(path, choose_dataset(arrays, path))
    inside = {name: shape for name, shape in arrays.items() if name.startswith(f"{dataset}/")}
    if not inside:
        raise absent_dataset(dataset, arrays, path)
    return _find_array(path, choose_dataset(inside, path))


def _size_from_parent(node: Node, root: Path) -> VoxelSize | None:
    """Return what the OME-Zarr image says of a level, which may lie several groups below it."""
    folder = node.folder
    while folder != root:
        folder = folder.parent
        parent = read_node(folder)
        if parent is not None:
            size = multiscale_voxel_size(parent.attributes, node.folder.relative_to(folder).as_posix())
            if size is not None:
                return size
    return None
