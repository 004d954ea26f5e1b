"""Zarr arrays of labels (Z, Y, X) to which many processes write, each its own blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sectome.blockwise.block_grid import BlockGrid
from sectome.geometry import Placement
from sectome.volumes.shards import in_shards
from sectome.volumes.tensorstore_process import open_store, zarr_spec
from sectome.volumes.zarr_writer import array_metadata


def create_labels(path: Path, grid: BlockGrid, dtype: type[np.unsignedinteger[Any]], placement: Placement) -> None:
    """Create an array with one shard per block, unless it exists already."""
    metadata = in_shards(array_metadata(grid.shape, np.dtype(dtype), placement), grid.block)
    open_store({**zarr_spec(path), "metadata": metadata}, create=True, open=True, write=True)
