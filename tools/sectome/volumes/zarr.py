"""Zarr v2 and v3: an array, an array in a group, or a level of an OME-Zarr image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from sectome.checks import InputError
from sectome.geometry import Placement
from sectome.types import AXES, Array, Shape3
from sectome.volumes.attributes import placement_from_attributes
from sectome.volumes.levels import Level
from sectome.volumes.multiscales import multiscale_axes, multiscale_placements
from sectome.volumes.reader import Reader, absent_dataset, check_three_axes, choose_dataset
from sectome.volumes.store_folder import Place, kvstore_of, name_below, reading_options
from sectome.volumes.tensorstore_process import LazyStore
from sectome.volumes.zarr_metadata import Node, is_zarr_node, listed_arrays, read_node, read_nodes

Number = TypeVar("Number", int, float)


class ZarrReader(Reader):
    """An array (Z, Y, X), or OME-Zarr's (1, ..., 1, Z, Y, X); a group stands for its only 3D array.

    The last three axes may have another order if they are named, such as WEBKNOSSOS's x, y, z.
    """

    def __init__(self, path: Place, dataset: str | None = None) -> None:
        node = _find_array(path, dataset)
        image, axes = _image_around(node, path)
        own_axes = tuple(str(axis).lower() for axis in node.axes[-3:])
        self._order = _order_of(own_axes if sorted(own_axes) == sorted(AXES) else axes)
        leading = node.shape[:-3]
        self._leading = len(leading) if all(extent == 1 for extent in leading) else 0
        self.shape = _ordered(check_three_axes(node.shape[self._leading :], str(node.folder)), self._order)
        self.dtype = node.dtype
        own = placement_from_attributes(node.attributes)
        size_nm, offset_nm = own.voxel_size_nm, _ordered(own.offset_nm, self._order)
        # An array's own size and offset each take precedence: CREMI's `resolution` says nothing about a translation.
        self.placement = Placement(
            _ordered(size_nm, self._order) if size_nm else image.voxel_size_nm,
            offset_nm if any(offset_nm) else image.offset_nm,
        )
        driver = "zarr3" if node.version == 3 else "zarr"
        self._store = LazyStore({"driver": driver, "kvstore": kvstore_of(node.folder), **reading_options(path)})

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X), reading the chunks that it touches."""
        stored = self._store()[(0,) * self._leading].transpose(self._order)
        voxels: Array = stored[z, y, x].read().result()
        return voxels

    def keep_chunks_of(self, box: Shape3) -> None:
        """See `Volume.keep_chunks_of`."""
        stored = tuple(box[self._order.index(axis)] for axis in range(3))
        self._store.keep_chunks_of((1,) * self._leading + stored)


def find_zarr_levels(path: Place, dataset: str | None) -> tuple[Level, ...]:
    """Return the levels of an OME-Zarr image in the file's order; empty for another group or an array.

    Raises:
        InputError: If an array that the image names is missing.
    """
    folder = path / dataset if dataset else path
    node = read_node(folder) if folder.is_dir() else None
    if node is None or node.is_array:
        return ()
    placements = multiscale_placements(node.attributes)
    order = _order_of(multiscale_axes(node.attributes)) if placements else ()
    arrays = read_nodes([folder / name for name in placements], node.version)
    levels = []
    for (name, placement), array in zip(placements.items(), arrays, strict=True):
        if array is None or not array.is_array:
            raise InputError(f"expected the array {name!r}, which the OME-Zarr image {folder} names, got none")
        shape = _ordered(check_three_axes(array.shape[-3:], str(array.folder)), order)
        own_size = placement_from_attributes(array.attributes).voxel_size_nm
        size = _ordered(own_size, order) if own_size else placement.voxel_size_nm
        levels.append(Level(name_below(folder / name, path), shape, size))
    return tuple(levels)


def _find_array(path: Place, dataset: str | None) -> Node:
    folder = path / dataset if dataset else path
    node = read_node(folder) if folder.is_dir() else None
    if node is not None and node.is_array:
        return node
    arrays = listed_arrays(path)
    if dataset is None:
        return _find_array(path, choose_dataset(arrays, path))
    inside = {name: shape for name, shape in (arrays or {}).items() if name.startswith(f"{dataset}/")}
    if not inside:
        raise absent_dataset(dataset, arrays, path)
    return _find_array(path, choose_dataset(inside, path))


def _image_around(node: Node, root: Place) -> tuple[Placement, tuple[str, ...]]:
    """Return placement and axes from the OME-Zarr image that contains a level, possibly several groups above it.

    If the path is the level's own folder, as after shell completion, the groups around it are searched too.
    """
    while isinstance(root, Path) and is_zarr_node(root.parent):
        root = root.parent
    folder = node.folder
    while folder != root:
        folder = folder.parent
        parent = read_node(folder)
        if parent is not None:
            found = multiscale_placements(parent.attributes).get(name_below(node.folder, folder))
            if found is not None:
                return found, multiscale_axes(parent.attributes)
    return Placement(), AXES


def _order_of(axes: Sequence[str]) -> tuple[int, ...]:
    """Return the positions of z, y and x among three axes."""
    return tuple(axes.index(axis) for axis in AXES)


def _ordered(stored: Sequence[Number], order: Sequence[int]) -> tuple[Number, Number, Number]:
    """Return numbers given per stored axis in the order (z, y, x)."""
    z, y, x = (stored[place] for place in order)
    return z, y, x
