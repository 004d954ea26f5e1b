"""In-place Gaussian smoothing of a volume, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.slabs import COLUMNS, in_threads, slabs
from sectome.types import FloatArray

_TRUNCATE = 4
"""Radius of the kernel in standard deviations, as in SciPy."""


def _weights(sigma: float) -> FloatArray:
    """Return the kernel's weights for distances of 0, 1, 2, ... voxels."""
    steps = np.arange(int(_TRUNCATE * sigma + 0.5) + 1)
    one_side = np.exp(-0.5 * (steps / sigma) ** 2) if sigma else np.ones(1)
    return (one_side / (2 * one_side.sum() - 1)).astype(np.float32)


@njit(cache=True, nogil=True)
def _reflected(index: int, length: int) -> int:
    """Return an index reflected into a line, whose mirror images repeat the voxel at the end."""
    if 0 <= index < length:
        return index
    index %= 2 * length
    return index if index < length else 2 * length - 1 - index


@njit(cache=True, nogil=True)
def _along_middle(values: Any, weights: Any, first: int, last: int) -> None:
    """Smooth (M, N, W) along N, from `first` to `last` of M, `COLUMNS` columns of W side by side."""
    _, length, width = values.shape
    old, row = np.zeros((length, COLUMNS), np.float32), np.zeros(COLUMNS, np.float32)
    for left in range(0, width, COLUMNS):
        for plane in range(first, last):
            columns = values[plane, :, left : left + COLUMNS]
            old[:, : columns.shape[1]] = columns
            for p in range(length):
                middle = old[p]
                for x in range(COLUMNS):
                    row[x] = weights[0] * middle[x]
                for step in range(1, weights.size):
                    before, after = old[_reflected(p - step, length)], old[_reflected(p + step, length)]
                    for x in range(COLUMNS):
                        row[x] += weights[step] * (before[x] + after[x])
                columns[p] = row[: columns.shape[1]]


@njit(cache=True, nogil=True)
def _along_x(values: Any, weights: Any, first: int, last: int) -> None:
    """Smooth along x, in sections `first` to `last`."""
    _, height, width = values.shape
    reach = weights.size - 1
    padded = np.empty(width + 2 * reach, np.float32)
    for z in range(first, last):
        for y in range(height):
            row = values[z, y]
            padded[reach : reach + width] = row
            for step in range(1, reach + 1):
                padded[reach - step] = row[_reflected(-step, width)]
                padded[reach + width - 1 + step] = row[_reflected(width - 1 + step, width)]
            for x in range(width):
                row[x] = weights[0] * padded[reach + x]
            for step in range(1, reach + 1):
                before, after = padded[reach - step :], padded[reach + step :]
                for x in range(width):
                    row[x] += weights[step] * (before[x] + after[x])


def smooth(values: FloatArray, sigma: tuple[float, float, float], *, threads: int | None = None) -> None:
    """Smooth a volume in place, as `scipy.ndimage.gaussian_filter` does in its default mode, in float32 precision.

    Args:
        values: (Z, Y, X) contiguous float32.
        sigma: standard deviations along z, y and x in voxels; 0 leaves an axis as it is.
        threads: `None` uses all cores; the result does not depend on it.
    """
    of_rows = values.transpose(1, 0, 2)
    for along, volume, one in (
        (_along_middle, of_rows, sigma[0]),
        (_along_middle, values, sigma[1]),
        (_along_x, values, sigma[2]),
    ):
        weights = _weights(one)
        if weights.size > 1:
            in_threads(along, [(volume, weights, *part) for part in slabs(volume.shape)], threads, "smoothing")
