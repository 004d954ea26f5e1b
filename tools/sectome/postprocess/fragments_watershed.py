"""Fragments by a watershed on the affinity graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.checks import InputError
from sectome.postprocess.check_affinities import nearest_affinities, stored_threshold
from sectome.postprocess.slabs import in_threads, slabs
from sectome.postprocess.threshold import Threshold, threshold_of
from sectome.postprocess.union_find import new_sets, sets_to_labels, union
from sectome.types import LabelArray, Offsets


@njit(cache=True, nogil=True)
def _join_slab(
    affinities: Any, low: float, high: float, first: int, last: int, first_axis: int, parent: Any, seams: Any
) -> int:
    """Unite each voxel of sections `first` to `last` with its steepest neighbour, and the ends of every strong edge.

    A union across the slab's ends would meet another thread: it is written to `seams` (S, 2). Returns their number.
    """
    _, depth, height, width = affinities.shape
    section = height * width
    deferred = 0
    for z in range(first, last):
        for y in range(height):
            index = z * section + y * width
            for x in range(width):
                best, neighbour = low, -1
                if z > 0 and first_axis == 0:
                    back = affinities[0, z, y, x]
                    if back > best:
                        best, neighbour = back, index - section
                    if back >= high:
                        if z == first:
                            seams[deferred, 0], seams[deferred, 1] = index, index - section
                            deferred += 1
                        else:
                            union(parent, index, index - section)
                if y > 0:
                    back = affinities[1, z, y, x]
                    if back > best:
                        best, neighbour = back, index - width
                    if back >= high:
                        union(parent, index, index - width)
                if x > 0:
                    back = affinities[2, z, y, x]
                    if back > best:
                        best, neighbour = back, index - 1
                    if back >= high:
                        union(parent, index, index - 1)
                if z + 1 < depth and first_axis == 0 and affinities[0, z + 1, y, x] > best:
                    best, neighbour = affinities[0, z + 1, y, x], index + section
                if y + 1 < height and affinities[1, z, y + 1, x] > best:
                    best, neighbour = affinities[1, z, y + 1, x], index + width
                if x + 1 < width and affinities[2, z, y, x + 1] > best:
                    best, neighbour = affinities[2, z, y, x + 1], index + 1
                if neighbour >= first * section and neighbour < last * section:
                    union(parent, index, neighbour)
                elif neighbour >= 0:
                    seams[deferred, 0], seams[deferred, 1] = index, neighbour
                    deferred += 1
                index += 1
    return deferred


@njit(cache=True, nogil=True)
def join_pairs(pairs: Any, parent: Any) -> None:
    """Unite the two voxels of each pair (P, 2)."""
    for index in range(len(pairs)):
        union(parent, pairs[index, 0], pairs[index, 1])


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

    Every voxel joins the neighbour of its steepest edge, if that edge is above `low`; and the two voxels of every edge
    at or above `high` join. This is the first round of Zlateski and Seung 2015 (arXiv:1505.00249) without their size-
    dependent merges, which are left to the agglomeration. Plateaus are not divided evenly: on equal edges a voxel takes
    the first of -z, -y, -x, +z, +y, +x.

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8.
        offsets: K steps that hold `NEAREST`; the others are not used.
        low: a voxel without an edge above it is background, 0. A number in 0..1, or a percentile of the nearest
            affinities as in "2%".
        high: single linkage from here on: below the interior's saturation, above a dropped membrane's affinity. A
            number or a percentile.
        per_section: never join voxels of two sections, for thick sections.
        threads: `None` for all cores; the result does not depend on it.

    Returns:
        (Z, Y, X) uint32, fragments 1..N in the order of their first voxels, 0 for background.

    Raises:
        InputError: if the affinities do not fit the offsets, or not 0 <= low <= high <= 1.
    """
    nearest = nearest_affinities(affinities, offsets)
    low, high = threshold_of(low, nearest, "low"), threshold_of(high, nearest, "high")
    if high < low:
        raise InputError(f"high must not lie below low, got low {low} and high {high}")
    shape = nearest.shape[1:]
    parts = slabs(shape)
    parent = new_sets(int(np.prod(shape)))
    # Of the first section two unions a voxel can be deferred, of the last one.
    seams = [np.empty((3 * shape[1] * shape[2], 2), parent.dtype) for _ in parts]
    limits = stored_threshold(low, nearest), stored_threshold(high, nearest)
    found = in_threads(
        _join_slab,
        [
            (nearest, *limits, first, last, 1 if per_section else 0, parent, seam)
            for (first, last), seam in zip(parts, seams, strict=True)
        ],
        threads,
        "watershed",
    )
    for seam, number in zip(seams, found, strict=True):
        join_pairs(seam[:number], parent)
    return sets_to_labels(parent, shape, threads)
