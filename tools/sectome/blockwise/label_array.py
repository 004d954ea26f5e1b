"""Zarr arrays of labels (Z, Y, X) that many processes write to, each its own chunks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sectome.geometry import Placement
from sectome.volumes.tensorstore_process import open_store, zarr_spec
from sectome.volumes.zarr_writer import array_metadata


def create_labels(path: Path, shape: Sequence[int], dtype: type[np.unsignedinteger[Any]], placement: Placement) -> None:
    """Create an array, or leave it as it is where it is already."""
    spec = {**zarr_spec(path), "metadata": array_metadata(tuple(shape), np.dtype(dtype), placement)}
    open_store(spec, create=True, open=True, write=True)
