"""Tiles of wide sections that are predicted one after the other, as memory allows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sectome.checks import InputError
from sectome.inference.blended_slabs import Tile
from sectome.inference.chunk_layers import IN_FLIGHT, layer_depth
from sectome.inference.window_grid import WindowGrid

CHUNK_IN_PLANE = 128
"""Chunk size of affinities along y and x, in voxels."""


def plan_tiles(grid: WindowGrid, channels: int, dtype: str, memory_mib: float) -> list[Tile]:
    """Divide a section into tiles of whole chunks whose values fit into the given memory.

    The memory is that of the accumulator of `blended_slabs` (float32, one window deep, over all windows that overlap
    the tile) and of the layers of `chunk_layers`.

    Args:
        grid: the windows.
        channels: number of channels.
        dtype: stored type of the values.
        memory_mib: memory limit in MiB.

    Raises:
        InputError: if a tile of one chunk does not fit.
    """
    height, width = grid.shape[1:]

    def mib(size: Sequence[int]) -> float:
        rows, columns = (
            min(length + 2 * window, extent)
            for length, window, extent in zip(size, grid.window[1:], grid.shape[1:], strict=True)
        )
        blended = 4 * grid.window[0] * rows * columns
        layers = (IN_FLIGHT + 1) * np.dtype(dtype).itemsize * layer_depth(grid) * size[0] * size[1]
        return channels * (blended + layers) / 2**20

    size = [height, width]
    while (needed := mib(size)) > memory_mib:
        axis = 0 if size[0] >= size[1] else 1
        if size[axis] <= CHUNK_IN_PLANE:
            raise InputError(
                f"memory_mib must be at least {needed:.0f} for windows of {grid.window}, got {memory_mib:g}"
            )
        half = size[axis] // 2
        size[axis] = max(CHUNK_IN_PLANE, half - half % CHUNK_IN_PLANE)
    return [
        Tile(slice(y, min(y + size[0], height)), slice(x, min(x + size[1], width)))
        for y in range(0, height, size[0])
        for x in range(0, width, size[1])
    ]
