"""Groups and arrays of zarr v2 and v3 as their JSON describes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.volumes.reader import check_number_type


@dataclass(frozen=True)
class Node:
    """A group or an array; a group has the shape () and no type.

    Attributes:
        folder: Where it lies.
        version: 2 or 3.
        is_array: Whether it is an array.
        attributes: The user's attributes.
        shape: Extents of an array.
        data_type: An array's type as its JSON writes it.
    """

    folder: Path
    version: int
    is_array: bool
    attributes: dict[str, Any]
    shape: tuple[int, ...] = ()
    data_type: Any = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels, in native byte order; an `InputError` if it is none of numbers."""
        try:
            dtype = np.dtype(self.data_type)
        except TypeError:
            raise InputError(
                f"expected voxels that are booleans, integers or floats, got {self.data_type} in {self.folder}"
            ) from None
        return check_number_type(dtype, str(self.folder))


def is_zarr_node(folder: Path) -> bool:
    """Return whether the folder is a zarr group or array."""
    return any((folder / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))


def read_node(folder: Path) -> Node | None:
    """Return the group or array in a folder, None if it is neither.

    Raises:
        InputError: If its JSON is damaged.
    """
    try:
        if (folder / "zarr.json").is_file():
            content = _read_json(folder / "zarr.json")
            attributes = content.get("attributes", {})
            if content["node_type"] == "group":
                return Node(folder, 3, False, attributes)
            return Node(folder, 3, True, attributes, tuple(content["shape"]), content["data_type"])
        attributes = _read_json(folder / ".zattrs") if (folder / ".zattrs").is_file() else {}
        if (folder / ".zarray").is_file():
            content = _read_json(folder / ".zarray")
            return Node(folder, 2, True, attributes, tuple(content["shape"]), content["dtype"])
        if (folder / ".zgroup").is_file():
            return Node(folder, 2, False, attributes)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"expected readable zarr metadata, got {folder}: {error!r}") from error
    return None


def find_arrays(root: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array in a group, by its path inside of `root`."""
    return {node.folder.relative_to(root).as_posix(): node.shape for node in _walk(root)}


def _walk(folder: Path) -> Iterator[Node]:
    # An array's folder can hold millions of chunks: it is never listed.
    for child in sorted(folder.iterdir()):
        if not child.is_dir():
            continue
        node = read_node(child)
        if node is not None and node.is_array:
            yield node
        else:
            yield from _walk(child)


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
