"""Fragments by a watershed on the affinity graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.checks import InputError
from sectome.postprocess.check_affinities import nearest_affinities, stored_threshold
from sectome.postprocess.slabs import in_threads, slabs
from sectome.postprocess.threshold import Threshold, threshold_of
from sectome.postprocess.union_find import join_pairs, new_sets, sets_to_labels, union
from sectome.types import LabelArray, Offsets

_SIDES = np.uint8(0b0011_1111)
_WAITS = np.uint8(0b0100_0000)
_JOINED = np.uint8(0b1000_0000)
"""Bits of a voxel's `ways`: bit n is set if the edge to neighbour n of -z, -y, -x, +z, +y, +x is one of the steepest.
`_WAITS` marks a voxel of a plateau that has not joined anything yet, `_JOINED` a voxel that is not background."""

_LOWEST_BIT = np.array([max(0, (bits & -bits).bit_length() - 1) for bits in range(64)], np.uint8)


@njit(cache=True, nogil=True, inline="always")
def _raise(tops: Any, edges: Any) -> None:
    """Raise `tops` to the edges of one side where these are higher."""
    for x in range(tops.size):
        tops[x] = edges[x] if edges[x] > tops[x] else tops[x]


@njit(cache=True, nogil=True, inline="always")
def _mark(ways: Any, tops: Any, edges: Any, bit: int) -> None:
    """Set a side's bit where its edge is one of the steepest."""
    for x in range(ways.size):
        ways[x] |= bit if edges[x] == tops[x] else np.uint8(0)


@njit(cache=True, nogil=True)
def _find_ways(
    affinities: Any,
    low: float,
    high: float,
    first: int,
    last: int,
    first_axis: int,
    tops: Any,
    ways: Any,
    parent: Any,
    seams: Any,
) -> int:
    """Write each voxel's steepest affinity and its sides in sections `first` to `last`; join the ends of strong edges.

    Unions across the slab's start would collide with another thread, so they are only listed in `seams` (S, 2). Returns
    their number.
    """
    _, depth, height, width = affinities.shape
    section = height * width
    deferred = 0
    for z in range(first, last):
        for y in range(height):
            # Whole rows without branches, so that the compiler vectorises the comparisons.
            start = z * section + y * width
            top, way = tops[start : start + width], ways[start : start + width]
            top[:] = low
            way[:] = 0
            back_z, back_y, back_x = affinities[0, z, y], affinities[1, z, y], affinities[2, z, y, 1:]
            has_back_z, has_back_y = z > 0 and first_axis == 0, y > 0
            has_next_z, has_next_y = z + 1 < depth and first_axis == 0, y + 1 < height
            next_z = affinities[0, z + 1, y] if has_next_z else back_z
            next_y = affinities[1, z, y + 1] if has_next_y else back_y
            if has_back_z:
                _raise(top, back_z)
            if has_back_y:
                _raise(top, back_y)
            if has_next_z:
                _raise(top, next_z)
            if has_next_y:
                _raise(top, next_y)
            _raise(top[1:], back_x)
            _raise(top[:-1], back_x)
            if has_back_z:
                _mark(way, top, back_z, np.uint8(1))
            if has_back_y:
                _mark(way, top, back_y, np.uint8(2))
            _mark(way[1:], top[1:], back_x, np.uint8(4))
            if has_next_z:
                _mark(way, top, next_z, np.uint8(8))
            if has_next_y:
                _mark(way, top, next_y, np.uint8(16))
            _mark(way[:-1], top[:-1], back_x, np.uint8(32))
            for x in range(width):
                # A strong edge joins its voxel below, and one not above `low` does not count.
                kept = np.uint8(0) if top[x] >= high else way[x]
                way[x] = kept | _JOINED if top[x] > low else np.uint8(0)
            for x in range(width):
                if top[x] < high:
                    continue
                index = start + x
                if has_back_z and back_z[x] >= high:
                    if z == first:
                        seams[deferred, 0], seams[deferred, 1] = index, index - section
                        deferred += 1
                    else:
                        union(parent, index, index - section)
                if has_back_y and back_y[x] >= high:
                    union(parent, index, index - width)
                if x > 0 and back_x[x - 1] >= high:
                    union(parent, index, index - 1)
    return deferred


@njit(cache=True, nogil=True)
def _climb(steps: Any, first: int, last: int, tops: Any, ways: Any, parent: Any, seams: Any) -> int:
    """Unite each voxel from `first` to `last` (flat) with a neighbour along a steepest edge that has a steeper one.

    Voxels without such a neighbour wait. Unions across the ends are deferred as in `_find_ways`.
    """
    deferred = 0
    for index in range(first, last):
        sides = ways[index] & _SIDES
        if not sides:
            continue
        top = tops[index]
        while sides:
            neighbour = index + steps[_LOWEST_BIT[sides]]
            if tops[neighbour] > top:
                break
            sides &= sides - np.uint8(1)
        if not sides:
            ways[index] |= _WAITS
        elif first <= neighbour < last:
            union(parent, index, neighbour)
        else:
            seams[deferred, 0], seams[deferred, 1] = index, neighbour
            deferred += 1
    return deferred


@njit(cache=True, nogil=True)
def _divide_plateaus(steps: Any, tops: Any, ways: Any, parent: Any) -> None:
    """Join every voxel of a plateau to the nearest one with a way up, counted in steps along the plateau.

    A plateau without a way up is a maximum and becomes one basin.
    """
    queue, waiting = np.empty(1 << 10, np.int64), 0
    for index in range(ways.size):
        if not ways[index] & _WAITS:
            continue
        sides = ways[index] & _SIDES
        while sides:
            neighbour = index + steps[_LOWEST_BIT[sides]]
            if tops[neighbour] == tops[index] and not ways[neighbour] & _WAITS:
                union(parent, index, neighbour)
                if waiting == queue.size:
                    queue = np.concatenate((queue, np.empty_like(queue)))
                queue[waiting] = index
                waiting += 1
                break
            sides &= sides - np.uint8(1)
    # Not during the scan, where it would let their neighbours count as first steps, too.
    for index in queue[:waiting]:
        ways[index] ^= _WAITS
    queue = _spread(steps, tops, ways, parent, queue, waiting)
    for index in range(ways.size):
        if ways[index] & _WAITS:
            ways[index] ^= _WAITS
            queue[0] = index
            queue = _spread(steps, tops, ways, parent, queue, 1)


@njit(cache=True, nogil=True)
def _spread(steps: Any, tops: Any, ways: Any, parent: Any, queue: Any, waiting: int) -> Any:
    """Join waiting voxels to those in the queue, breadth first; return the queue, which may have grown."""
    served = 0
    while served < waiting:
        index = queue[served]
        served += 1
        top, sides = tops[index], ways[index] & _SIDES
        while sides:
            neighbour = index + steps[_LOWEST_BIT[sides]]
            sides &= sides - np.uint8(1)
            if ways[neighbour] & _WAITS and tops[neighbour] == top:
                ways[neighbour] ^= _WAITS
                union(parent, neighbour, index)
                if waiting == queue.size:
                    queue = np.concatenate((queue, np.empty_like(queue)))
                queue[waiting] = neighbour
                waiting += 1
    return queue


def fragments_watershed(
    affinities: Any,
    offsets: Offsets,
    *,
    low: Threshold = 1e-4,
    high: Threshold = 0.9999,
    per_section: bool = False,
    threads: int | None = None,
) -> LabelArray:
    """Return the catchment basins of the affinity graph as fragments.

    Every voxel joins the neighbour along its steepest edge, if that edge is above `low`. The two voxels of every edge
    at or above `high` join, too. Where steepest edges are equal, as is common in uint8, a voxel takes one that leads
    to a steeper edge. A plateau is divided between its ways up, each voxel going to the nearest in steps; without a way
    up it is one fragment. Ties are resolved in the order -z, -y, -x, +z, +y, +x. This is the first stage of Zlateski
    and Seung 2015 (arXiv:1505.00249), without their size-dependent merges, which are left to the agglomeration.

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8.
        offsets: K offsets with `NEAREST` among them; others are not used.
        low: a voxel without an edge above it is background, 0. A number in 0..1, or a percentile of the nearest
            affinities such as "2%".
        high: affinity from which edges join by single linkage: below saturation inside of objects, above the affinity
            across a missed membrane. A number or a percentile.
        per_section: whether to keep sections separate, for thick sections.
        threads: `None` uses all cores; the result does not depend on it.

    Returns:
        (Z, Y, X) uint32 fragments 1..N in the order of their first voxels; 0 is background.

    Raises:
        InputError: if the affinities do not fit the offsets, or 0 <= low <= high <= 1 does not hold.
    """
    nearest = nearest_affinities(affinities, offsets)
    low, percentile = threshold_of(low, nearest, "low"), isinstance(high, str)
    high = threshold_of(high, nearest, "high")
    if percentile:
        # In a volume that is mostly background, a percentile may fall below `low`.
        high = max(high, low)
    if high < low:
        raise InputError(f"high must not lie below low, got low {low} and high {high}")
    shape = nearest.shape[1:]
    parts = slabs(shape)
    parent = new_sets(int(np.prod(shape)))
    # In the affinities' own type, or an edge would not equal itself. Bytes are compared with the integer part of `low`.
    floor, limit = nearest.dtype.type(stored_threshold(low, nearest)), stored_threshold(high, nearest)
    if floor == limit == 0:
        # No byte lies below 0.
        nearest, floor = nearest.astype(np.float32, copy=False), np.float32(0)
    if floor == limit:
        # An edge exactly at the limit must count, while a voxel without an edge must stay below the limit.
        floor = np.uint8(int(floor) - 1) if nearest.dtype == np.uint8 else np.nextafter(floor, np.float32(-1))
    voxels, section = parent.size, shape[1] * shape[2]
    tops, ways = np.empty(voxels, nearest.dtype), np.empty(voxels, np.uint8)
    seams = [np.empty((section, 2), parent.dtype) for _ in parts]
    strong = [
        (nearest, floor, limit, *part, 1 if per_section else 0, tops, ways, parent, seam)
        for part, seam in zip(parts, seams, strict=True)
    ]
    for seam, number in zip(seams, in_threads(_find_ways, strong, threads, "watershed"), strict=True):
        join_pairs(seam[:number], parent)
    steps = np.array([-section, -shape[2], -1, section, shape[2], 1], np.int64)
    seams = [np.empty((2 * section, 2), parent.dtype) for _ in parts]
    steepest = [
        (steps, first * section, last * section, tops, ways, parent, seam)
        for (first, last), seam in zip(parts, seams, strict=True)
    ]
    for seam, number in zip(seams, in_threads(_climb, steepest, threads, "watershed"), strict=True):
        join_pairs(seam[:number], parent)
    _divide_plateaus(steps, tops, ways, parent)
    return sets_to_labels(parent, ways, shape, threads)
