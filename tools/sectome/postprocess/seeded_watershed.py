"""Seeded watershed on the edges between voxels, by Borůvka's algorithm on quantised weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.union_find import find, new_sets, sets_to_labels, union
from sectome.types import Array, LabelArray

_LEVELS = 1 << 20

# A boundary voxel's edges to its higher neighbours are all as high as the voxel itself. The higher end breaks these
# ties, so that the voxel goes to the highest neighbour, not to the first in the array: VOI fell from 1.22 to .99 on
# SNEMI3D.
_OF_LOWER_END = 0.9

_LAST_EDGE = (1 << 42) - 1
"""Upper bound of edge numbers. An edge's number is 3 * p + axis, where p is the flat index of its later voxel."""


@njit(cache=True, nogil=True)
def _rank(one: float, other: float, edge: int, scale: float) -> int:
    """Return an edge's rank, which grows with its height; among edges of equal level the first has the greatest."""
    level = _OF_LOWER_END * min(one, other) + (1 - _OF_LOWER_END) * max(one, other)
    place = min(_LEVELS - 1, max(0, int(level * scale)))
    return (place << 42) | (_LAST_EDGE - edge)


@njit(cache=True, nogil=True, inline="always")
def _raise(best: Any, ranks: Any) -> None:
    """Raise the best rank of each voxel of a row to the rank of one more edge where that is greater."""
    for x in range(ranks.size):
        best[x] = ranks[x] if ranks[x] > best[x] else best[x]


@njit(cache=True, nogil=True)
def _best_of_voxels(affinities: Any, heights: Any, first_axis: int, low: float, top: float, best: Any) -> None:
    """Write the rank of each voxel's highest edge above `low` to `best` (flat), where there is one."""
    _, depth, height, width = affinities.shape
    scale = (_LEVELS - 1) / top
    ranks = np.empty(width, np.int64)
    for axis in range(first_axis, 3):
        stride = (height * width, width, 1)[axis]
        skipped = axis == 2
        for z in range(axis == 0, depth):
            for y in range(axis == 1, height):
                # Whole rows without branches, so that the compiler vectorises the comparisons.
                start = (z * height + y) * width + skipped
                edges, row = affinities[axis, z, y, skipped:], ranks[skipped:]
                here, there = heights[start:], heights[start - stride :]
                for x in range(row.size):
                    rank = _rank(here[x], there[x], 3 * (start + x) + axis, scale)
                    row[x] = rank if edges[x] > low else -1
                _raise(best[start:], row)
                _raise(best[start - stride :], row)


@njit(cache=True, nogil=True)
def _ends(rank: int, strides: Any) -> tuple[int, int]:
    """Return the two voxels of the edge with a rank."""
    edge = _LAST_EDGE - (rank & _LAST_EDGE)
    return edge // 3, edge // 3 - strides[edge % 3]


@njit(cache=True, nogil=True)
def _unite_voxels(best: Any, strides: Any, seeds: Any, parent: Any, joined: Any) -> None:
    """Unite each voxel outside of seeds with the other end of its best edge, and copy each set's seed to its root."""
    for voxel in range(parent.size):
        joined[voxel] = best[voxel] >= 0
        if joined[voxel] and seeds[voxel] == 0:
            one, two = _ends(best[voxel], strides)
            union(parent, one, two)
    for voxel in range(parent.size):
        # A parent's index is smaller than its children's, so its own parent is the root by now.
        root = parent[parent[voxel]]
        parent[voxel] = root
        if seeds[voxel] != 0:
            seeds[root] = seeds[voxel]


@njit(cache=True, nogil=True)
def _edges_between(
    affinities: Any, heights: Any, first_axis: int, low: float, top: float, seeds: Any, parent: Any, ranks: Any
) -> int:
    """Write the ranks of edges above `low` that can still unite two sets, up to the size of `ranks`; count them all."""
    _, depth, height, width = affinities.shape
    scale = (_LEVELS - 1) / top
    count = 0
    for axis in range(first_axis, 3):
        stride = (height * width, width, 1)[axis]
        for z in range(axis == 0, depth):
            for y in range(axis == 1, height):
                for x in range(axis == 2, width):
                    voxel = (z * height + y) * width + x
                    other = voxel - stride
                    root, other_root = parent[voxel], parent[other]
                    if root == other_root or not affinities[axis, z, y, x] > low:
                        continue
                    one, two = seeds[root], seeds[other_root]
                    if one == 0 or two == 0 or one == two:
                        if count < ranks.size:
                            ranks[count] = _rank(heights[voxel], heights[other], 3 * voxel + axis, scale)
                        count += 1
    return count


@njit(cache=True, nogil=True)
def _unite_sets(ranks: Any, strides: Any, seeds: Any, parent: Any, best: Any) -> int:
    """Unite each set without a seed with the set at the other end of its best edge.

    Returns:
        Number of edges that may still unite two sets; they are moved to the front of `ranks`.
    """
    for rank in ranks:
        for voxel in _ends(rank, strides):
            best[find(parent, voxel)] = -1
    left = 0
    for rank in ranks:
        voxel, other = _ends(rank, strides)
        one, two = find(parent, voxel), find(parent, other)
        if one != two and seeds[one] != 0 and seeds[one] == seeds[two]:
            union(parent, one, two)
        elif one != two and (seeds[one] == 0 or seeds[two] == 0):
            ranks[left] = rank
            left += 1
            best[one], best[two] = max(best[one], rank), max(best[two], rank)
    chosen, number = np.empty(left, np.int64), 0
    for rank in ranks[:left]:
        voxel, other = _ends(rank, strides)
        one, two = find(parent, voxel), find(parent, other)
        if (seeds[one] == 0 and best[one] == rank) or (seeds[two] == 0 and best[two] == rank):
            chosen[number] = rank
            number += 1
    for rank in chosen[:number]:
        voxel, other = _ends(rank, strides)
        one, two = find(parent, voxel), find(parent, other)
        union(parent, one, two)
        seeds[min(one, two)] = max(seeds[one], seeds[two])
    return left


def seeded_watershed(
    nearest: Array,
    heights: Array,
    seeds: LabelArray,
    *,
    top: float,
    low: float,
    per_section: bool = False,
    threads: int | None = None,
) -> LabelArray:
    """Return the region of every seed: a maximum spanning forest of the edges, cut between seeds.

    Water runs down from the seeds: an edge is as high as the lower of its two voxels, and the highest edges are crossed
    first. So two seeds meet at the lowest or narrowest place between them. Edges whose affinity is not above `low` are
    never crossed, so objects that touch without a membrane voxel between them do not leak into each other. Voxels that
    no seed reaches become regions of their own. This is the watershed cut of Cousty et al. 2009
    (doi:10.1109/TPAMI.2008.173).

    The best edge of a set without a seed is always in the forest (Borůvka 1926). A first pass in memory order unites
    each voxel along its best edge. Only the few edges between the resulting sets are visited again.

    Args:
        nearest: (3, Z, Y, X) checked affinities of `NEAREST`.
        heights: (Z, Y, X) floats in 0..`top`, high in the middle of objects; resolved in about a million levels.
        seeds: (Z, Y, X) integer ids, 0 outside of seeds.
        top: greatest possible height.
        low: affinity up to which an edge is never crossed, in the unit of the stored affinities.
        per_section: whether to keep sections separate.
        threads: number of threads for numbering; the result does not depend on it.

    Returns:
        (Z, Y, X) uint32 regions 1..N in the order of their first voxels, 0 where a voxel has no edge above `low`.
    """
    shape, first_axis = heights.shape, 1 if per_section else 0
    flat_heights, flat_seeds = heights.ravel(), seeds.ravel().copy()
    strides = np.array([shape[1] * shape[2], shape[2], 1], np.int64)
    best = np.full(heights.size, -1, np.int64)
    parent, joined = new_sets(heights.size), np.zeros(heights.size, np.bool_)
    _best_of_voxels(nearest, flat_heights, first_axis, low, top, best)
    _unite_voxels(best, strides, flat_seeds, parent, joined)
    # Usually enough; if not, the first call has counted the edges.
    ranks = np.empty(heights.size // 4, np.int64)
    while (left := _edges_between(nearest, flat_heights, first_axis, low, top, flat_seeds, parent, ranks)) > ranks.size:
        ranks = np.empty(left, np.int64)
    while left:
        ranks = ranks[:left]
        left = _unite_sets(ranks, strides, flat_seeds, parent, best)
    return sets_to_labels(parent, joined, shape, threads)
