"""The mean affinity around a voxel: how surely it lies inside an object."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from sectome.checks import check_same_shape
from sectome.postprocess.check_affinities import affinity_unit
from sectome.types import Array


@njit(cache=True, nogil=True)
def _mean(affinities: Any, first_axis: int, unit: float, means: Any) -> None:
    """Write the mean affinity of each voxel's edges along the axes from `first_axis` on."""
    _, depth, height, width = affinities.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                total, edges = 0.0, 0
                if first_axis == 0 and z > 0:
                    total += affinities[0, z, y, x]
                    edges += 1
                if first_axis == 0 and z + 1 < depth:
                    total += affinities[0, z + 1, y, x]
                    edges += 1
                if y > 0:
                    total += affinities[1, z, y, x]
                    edges += 1
                if y + 1 < height:
                    total += affinities[1, z, y + 1, x]
                    edges += 1
                if x > 0:
                    total += affinities[2, z, y, x]
                    edges += 1
                if x + 1 < width:
                    total += affinities[2, z, y, x + 1]
                    edges += 1
                means[z, y, x] = total / (edges * unit) if edges else 0.0


def mean_affinity(nearest: Array, *, per_section: bool = False) -> npt.NDArray[np.float32]:
    """Return the mean affinity of the edges between each voxel and its neighbours that share a face.

    Both directions count: the mean of the three stored channels alone would lie half a voxel off. Edges that leave the
    array do not count.

    Args:
        nearest: (3, Z, Y, X) checked affinities of `NEAREST`.
        per_section: whether to use only the four neighbours within the section, not all six.

    Returns:
        (Z, Y, X) float32 in 0..1; 0 for a voxel without neighbours.
    """
    means = np.empty(nearest.shape[1:], np.float32)
    _mean(nearest, 1 if per_section else 0, affinity_unit(nearest), means)
    return means


def without_background(nearest: Array, foreground: Any) -> Array:
    """Return a copy of (3, Z, Y, X) nearest affinities that is 0 on every edge with an end outside the foreground.

    Raises:
        InputError: if the (Z, Y, X) foreground has another shape.
    """
    foreground = np.asarray(foreground) != 0
    check_same_shape(nearest.shape[1:], foreground.shape, "foreground")
    masked = nearest * foreground
    for axis in range(3):
        later = [slice(None)] * 3
        earlier = [slice(None)] * 3
        later[axis], earlier[axis] = slice(1, None), slice(None, -1)
        masked[axis][tuple(later)] *= foreground[tuple(earlier)]
    return masked
