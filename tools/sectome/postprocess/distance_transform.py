"""The Euclidean distance to the nearest boundary, in the memory of its result."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.slabs import in_threads, slabs
from sectome.types import Array, FloatArray, VoxelSize


@njit(cache=True, nogil=True)
def _along_x(inside: Any, edge: float, first: int, last: int, squares: Any) -> None:
    """Write the squared distance of each voxel to the nearest one outside in its own row."""
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
def _lower_envelope(column: Any, edge: float, centres: Any, starts: Any, heights: Any) -> None:
    """Replace f(p) by the least (p - q)^2 edge^2 + f(q) over all q: the lowest of the parabolas over each place."""
    count = 0
    for q in range(column.size):
        height = column[q]
        if height == np.inf:
            continue
        start = -np.inf
        while count > 0:
            known = centres[count - 1]
            start = (height - heights[count - 1] + edge * edge * (q * q - known * known)) / (
                2 * edge * edge * (q - known)
            )
            if start > starts[count - 1]:
                break
            count -= 1
        centres[count], heights[count] = q, height
        starts[count] = start if count else -np.inf
        count += 1
    lowest = 0
    for p in range(column.size if count else 0):
        while lowest + 1 < count and starts[lowest + 1] < p:
            lowest += 1
        column[p] = (edge * (p - centres[lowest])) ** 2 + heights[lowest]


@njit(cache=True, nogil=True)
def _along_y(squares: Any, edge: float, first: int, last: int) -> None:
    """Let squared distances see along y, in sections `first` to `last`."""
    _, height, width = squares.shape
    centres, starts, heights = np.empty(height, np.int64), np.empty(height), np.empty(height)
    for z in range(first, last):
        for x in range(width):
            _lower_envelope(squares[z, :, x], edge, centres, starts, heights)


@njit(cache=True, nogil=True)
def _along_z(squares: Any, edge: float, first: int, last: int) -> None:
    """Let squared distances see along z, in rows `first` to `last` of all sections."""
    depth, _, width = squares.shape
    centres, starts, heights = np.empty(depth, np.int64), np.empty(depth), np.empty(depth)
    for y in range(first, last):
        for x in range(width):
            _lower_envelope(squares[:, y, x], edge, centres, starts, heights)


def distance_to_boundary_nm(
    inside: Array, voxel_size_nm: VoxelSize, *, per_section: bool = False, threads: int | None = None
) -> FloatArray:
    """Return the distance of each inside voxel to the nearest voxel that is not, centre to centre.

    Exact, in three passes (Felzenszwalb and Huttenlocher 2012, doi:10.4086/toc.2012.v008a019). Unlike SciPy's it needs
    no memory beside its result, and uses all cores.

    Args:
        inside: (Z, Y, X) booleans.
        voxel_size_nm: (z, y, x).
        per_section: distances within sections only.
        threads: `None` for all cores; the result does not depend on it.

    Returns:
        (Z, Y, X) float32 in nm, 0 outside; infinite where no voxel is outside.
    """
    z_nm, y_nm, x_nm = voxel_size_nm
    squares = np.empty(inside.shape, np.float32)
    parts = slabs(inside.shape)
    in_threads(_along_x, [(inside, x_nm, *part, squares) for part in parts], threads, "distance")
    in_threads(_along_y, [(squares, y_nm, *part) for part in parts], threads, "distance")
    if not per_section:
        rows = slabs((inside.shape[1], inside.shape[0], inside.shape[2]))
        in_threads(_along_z, [(squares, z_nm, *part) for part in rows], threads, "distance")
    return np.sqrt(squares, out=squares)
