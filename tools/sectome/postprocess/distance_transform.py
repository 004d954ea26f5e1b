"""Euclidean distance to the nearest boundary, computed within the memory of the result."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.slabs import COLUMNS, in_threads, slabs
from sectome.types import Array, FloatArray, VoxelSize


@njit(cache=True, nogil=True)
def _along_x(inside: Any, edge: float, first: int, last: int, squares: Any) -> None:
    """Write each voxel's squared distance to the nearest outside voxel in its own row."""
    _, height, width = inside.shape
    for z in range(first, last):
        for y in range(height):
            row = squares[z, y]
            far = np.inf
            for x in range(width):
                far = far + edge if inside[z, y, x] else 0.0
                row[x] = far
            far = np.inf
            for x in range(width - 1, -1, -1):
                far = far + edge if inside[z, y, x] else 0.0
                row[x] = min(row[x], far) ** 2


@njit(cache=True, nogil=True)
def _along_middle(squares: Any, edge: float, first: int, last: int) -> None:
    """Extend squared distances f (M, N, W) along N: at p, take the least f(q) + (p - q)^2 edge^2 over all q.

    `COLUMNS` columns of W are processed side by side, and look one step further as long as that can still reduce the
    distance of one of their voxels.
    """
    _, length, width = squares.shape
    old, row = np.empty((length, COLUMNS), np.float32), np.empty(COLUMNS, np.float32)
    for left in range(0, width, COLUMNS):
        for plane in range(first, last):
            columns = squares[plane, :, left : left + COLUMNS]
            old[:, : columns.shape[1]] = columns
            old[:, columns.shape[1] :] = 0
            for p in range(length):
                row[:] = old[p]
                step, nearer = 0, True
                while nearer and step + 1 < length:
                    step += 1
                    further, next_one = np.float32((step * edge) ** 2), np.float32(((step + 1) * edge) ** 2)
                    before, after = old[p - step if p >= step else p], old[p + step if p + step < length else p]
                    nearer = False
                    for x in range(COLUMNS):
                        square = (before[x] if before[x] < after[x] else after[x]) + further
                        square = square if square < row[x] else row[x]
                        row[x] = square
                        nearer |= square > next_one
                columns[p] = row[: columns.shape[1]]


def distance_to_boundary_nm(
    inside: Array, voxel_size_nm: VoxelSize, *, per_section: bool = False, threads: int | None = None
) -> FloatArray:
    """Return the distance of each inside voxel to the nearest outside voxel, from centre to centre.

    It is exact and takes three passes (Felzenszwalb and Huttenlocher 2012, doi:10.4086/toc.2012.v008a019). Unlike
    SciPy's, it needs no memory beside its result and uses all cores.

    Args:
        inside: (Z, Y, X) booleans.
        voxel_size_nm: voxel size (z, y, x).
        per_section: whether to measure distances within sections only.
        threads: `None` uses all cores; the result does not depend on it.

    Returns:
        (Z, Y, X) float32 in nm, 0 outside; infinite where no voxel is outside.
    """
    z_nm, y_nm, x_nm = voxel_size_nm
    squares = np.empty(inside.shape, np.float32)
    parts = slabs(inside.shape)
    in_threads(_along_x, [(inside, x_nm, *part, squares) for part in parts], threads, "distance")
    in_threads(_along_middle, [(squares, y_nm, *part) for part in parts], threads, "distance")
    if not per_section:
        of_rows = squares.transpose(1, 0, 2)
        in_threads(_along_middle, [(of_rows, z_nm, *part) for part in slabs(of_rows.shape)], threads, "distance")
    return np.sqrt(squares, out=squares)
