"""Fragments by a watershed on the affinity graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.checks import InputError
from sectome.postprocess.check_affinities import check_probability, nearest_affinities, stored_threshold
from sectome.postprocess.union_find import join_strong_edges, new_sets, sets_to_labels, union
from sectome.types import LabelArray, Offsets


@njit(cache=True, nogil=True)
def _join_steepest_edges(affinities: Any, low: float, parent: Any, joined: Any) -> None:
    """Unite every voxel with the neighbour of its steepest edge above `low`; of equal edges the first of -z -y -x +z
    +y +x.
    """
    _, depth, height, width = affinities.shape
    section = height * width
    index = 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                best = low
                neighbour = -1
                if z > 0 and affinities[0, z, y, x] > best:
                    best, neighbour = affinities[0, z, y, x], index - section
                if y > 0 and affinities[1, z, y, x] > best:
                    best, neighbour = affinities[1, z, y, x], index - width
                if x > 0 and affinities[2, z, y, x] > best:
                    best, neighbour = affinities[2, z, y, x], index - 1
                if z + 1 < depth and affinities[0, z + 1, y, x] > best:
                    best, neighbour = affinities[0, z + 1, y, x], index + section
                if y + 1 < height and affinities[1, z, y + 1, x] > best:
                    best, neighbour = affinities[1, z, y + 1, x], index + width
                if x + 1 < width and affinities[2, z, y, x + 1] > best:
                    best, neighbour = affinities[2, z, y, x + 1], index + 1
                if neighbour >= 0:
                    union(parent, index, neighbour)
                    joined[index] = True
                    joined[neighbour] = True
                index += 1


def fragments_watershed(affinities: Any, offsets: Offsets, *, low: float = 1e-4, high: float = 0.9999) -> LabelArray:
    """Return the catchment basins of the affinity graph as fragments.

    Every voxel joins the neighbour of its steepest edge, if that edge is above `low`; then the two voxels of every edge
    at or above `high` join. This is the first round of Zlateski and Seung 2015 (arXiv:1505.00249) without their size-
    dependent merges, which are left to the agglomeration. Plateaus are not divided evenly: on equal edges a voxel takes
    the first of -z, -y, -x, +z, +y, +x.

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8.
        offsets: K steps that hold `NEAREST`; the others are not used.
        low: a voxel without an edge above it is background, 0.
        high: single linkage from here on: below the interior's saturation, above a dropped membrane's affinity.

    Returns:
        (Z, Y, X) uint32, fragments 1..N in the order of their first voxels, 0 for background.

    Raises:
        InputError: if the affinities do not fit the offsets, or not 0 <= low <= high <= 1.
    """
    check_probability(low, "low")
    if check_probability(high, "high") < low:
        raise InputError(f"high must not lie below low, got low {low} and high {high}")
    nearest = nearest_affinities(affinities, offsets)
    shape = nearest.shape[1:]
    voxels = int(np.prod(shape))
    parent, joined = new_sets(voxels), np.zeros(voxels, np.bool_)
    _join_steepest_edges(nearest, stored_threshold(low, nearest), parent, joined)
    join_strong_edges(nearest, stored_threshold(high, nearest), parent, joined)
    return sets_to_labels(parent, joined, shape)
