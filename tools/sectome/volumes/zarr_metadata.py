"""JSON metadata of zarr v2 and v3 groups and arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.volumes.reader import Datasets, check_number_type
from sectome.volumes.store_folder import Place, StoreFolder, fetch, name_below

NODE_FILES = ("zarr.json", ".zarray", ".zgroup")
"""Every group and array has at least one of these files."""

_FILES = (*NODE_FILES, ".zattrs")
_CONSOLIDATED = ".zmetadata"
_FUNLIB_AXES = "axis_names"


@dataclass(frozen=True)
class Node:
    """A group or an array; a group has shape () and no type.

    Attributes:
        folder: Its folder.
        version: 2 or 3.
        is_array: Whether it is an array.
        attributes: The user's attributes.
        shape: Extents of an array.
        data_type: Type of an array as its JSON gives it.
        axes: Axis names of an array: those of the zarr format (in v2, xarray's), else funlib's; empty if it has none.
    """

    folder: Place
    version: int
    is_array: bool
    attributes: dict[str, Any]
    shape: tuple[int, ...] = ()
    data_type: Any = None
    axes: tuple[Any, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels, in native byte order; raises an `InputError` unless boolean or numeric."""
        try:
            dtype = np.dtype(self.data_type)
        except TypeError:
            raise InputError(
                f"expected voxels that are booleans, integers or floats, got {self.data_type} in {self.folder}"
            ) from None
        return check_number_type(dtype, str(self.folder))


def is_zarr_node(folder: Place) -> bool:
    """Return whether the folder is a zarr group or array."""
    return any((folder / name).is_file() for name in NODE_FILES)


def read_node(folder: Place, version: int | None = None) -> Node | None:
    """Return the group or array in a folder; None if there is neither.

    Args:
        folder: The folder.
        version: The zarr version if known, which saves requests to a server.

    Raises:
        InputError: If its JSON is damaged.
    """
    try:
        fetch(folder / name for name in _FILES[: 1 if version == 3 else None])
        if (folder / "zarr.json").is_file():
            content = _read_json(folder / "zarr.json")
            attributes = content.get("attributes", {})
            if content["node_type"] == "group":
                if isinstance(folder, StoreFolder) and (quoted := content.get("consolidated_metadata")):
                    _remember(folder, {f"{name}/zarr.json": child for name, child in quoted["metadata"].items()})
                return Node(folder, 3, False, attributes)
            axes = tuple(content.get("dimension_names") or attributes.get(_FUNLIB_AXES) or ())
            return Node(folder, 3, True, attributes, tuple(content["shape"]), content["data_type"], axes)
        attributes = _read_json(folder / ".zattrs") if (folder / ".zattrs").is_file() else {}
        if (folder / ".zarray").is_file():
            content = _read_json(folder / ".zarray")
            axes = tuple(attributes.get("_ARRAY_DIMENSIONS") or attributes.get(_FUNLIB_AXES) or ())
            return Node(folder, 2, True, attributes, tuple(content["shape"]), content["dtype"], axes)
        if (folder / ".zgroup").is_file():
            if isinstance(folder, StoreFolder) and (folder / _CONSOLIDATED).is_file():
                _remember(folder, _read_json(folder / _CONSOLIDATED)["metadata"])
            return Node(folder, 2, False, attributes)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"expected readable zarr metadata, got {folder}: {error!r}") from error
    return None


def read_nodes(folders: Sequence[Place], version: int) -> list[Node | None]:
    """Return the result of `read_node` for each of several folders, with concurrent requests to a server."""
    fetch(folder / name for folder in folders for name in _FILES[: 1 if version == 3 else None])
    return [read_node(folder, version) for folder in folders]


def find_arrays(root: Path) -> Datasets:
    """Return the shape of every array in a group, by its path relative to `root`."""
    return {name_below(node.folder, root): node.shape for node in _walk(root)}


def listed_arrays(root: Place) -> Datasets | None:
    """Return the result of `find_arrays`; for a server from consolidated metadata, or None without them."""
    if isinstance(root, Path):
        return find_arrays(root)
    folders = {file.parent.as_posix() for file in root.known_files() if file.name in NODE_FILES} - {"."}
    nodes = {name: read_node(root / name) for name in sorted(folders)}
    return {name: node.shape for name, node in nodes.items() if node is not None and node.is_array} or None


def _walk(folder: Path) -> Iterator[Node]:
    # Never list an array's folder: it can hold millions of chunks.
    for child in sorted(folder.iterdir()):
        # Unfinished outputs have hidden names, also after a killed write.
        if not child.is_dir() or child.name.startswith("."):
            continue
        node = read_node(child)
        if node is not None and node.is_array:
            yield node
        else:
            yield from _walk(child)


def _remember(folder: StoreFolder, quoted: Mapping[str, Any]) -> None:
    """Cache the metadata that a group quotes for the nodes below it; files it does not quote do not exist."""
    for below in {name.rpartition("/")[0] for name in quoted} - {""}:
        for name in (f"{below}/{file}" for file in _FILES):
            folder.remember(name, json.dumps(quoted[name]).encode() if name in quoted else None)


def _read_json(path: Place) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
