"""Zarr arrays of labels (Z, Y, X) that many processes write to, each its own chunks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sectome.geometry import Placement
from sectome.volumes.tensorstore_process import open_store
from sectome.volumes.zarr_writer import array_metadata


def create_labels(path: Path, shape: Sequence[int], dtype: type[np.unsignedinteger[Any]], placement: Placement) -> None:
    """Create an array, or leave it as it is where it is already."""
    spec = {**_spec(path), "metadata": array_metadata(tuple(shape), np.dtype(dtype), placement)}
    open_store(spec, create=True, open=True, write=True)


def open_labels(path: Path, *, write: bool = False) -> Any:
    """Open an array to read or to write; what was read or written does not stay in memory."""
    return open_store(_spec(path), open=True, **({"write": True} if write else {"read": True}))


def _spec(path: Path) -> dict[str, Any]:
    return {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"}}
