"""Mutex watershed: edges, in order of certainty, either join two segments or forbid that they ever join.

Wolf et al. 2018 (ECCV, doi:10.1007/978-3-030-01225-0_34): Kruskal's algorithm with exclusions. There is no threshold:
attraction between neighbours competes with long-range repulsion. Written from that description.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from sectome.checks import InputError, check_whole_triple, check_within
from sectome.neighbourhoods import NEAREST
from sectome.postprocess.check_affinities import (
    affinity_unit,
    check_affinities,
    check_voxel_pairs,
    nearest_channels,
)
from sectome.postprocess.radix_sort import sorted_by_high_bits
from sectome.postprocess.union_find import find
from sectome.types import LabelArray, Offsets

_KEY_BITS = 24
"""Priorities are sorted as integers in steps of 2**-24 of their range, the resolution of float32 between 0.5 and 1."""

_ID_BITS = 64 - _KEY_BITS

_NONE = np.uint32(2**32 - 1)
"""End of a linked list."""


def mutex_watershed(
    affinities: Any,
    offsets: Offsets,
    *,
    strides: Sequence[int] = (1, 3, 3),
    bias: float = 0.0,
    foreground: Any = None,
    apart: Sequence[tuple[Sequence[int], Sequence[int]]] = (),
) -> LabelArray:
    """Return the segments of affinities with long-range offsets.

    An edge of `NEAREST` attracts with its affinity, any other edge repels with 1 - affinity. The most certain edge
    comes first; equal edges come in the order of channels and voxels. Needs about 100 bytes per voxel with 12 offsets
    and the default strides.

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8 in 0..255, one channel per offset.
        offsets: K offsets (z, y, x), `NEAREST` and at least one other.
        strides: repelling edges are taken from every n-th voxel along (z, y, x), as fewer of them suffice.
        bias: number added to the attraction; above 0 merges more, below 0 splits more.
        foreground: (Z, Y, X) array, 0 where voxels have no edges; `None` is foreground everywhere.
        apart: pairs of voxels ((z, y, x), (z, y, x)) that must not end up in one segment.

    Returns:
        (Z, Y, X) segments 1..N in the order of their first voxels, in the smallest unsigned type. A voxel that joins no
        other is background, 0.

    Raises:
        InputError: if the affinities do not fit the offsets, no offset is long-range, a stride is not a whole number of
            at least 1, the bias is outside -1..1, the foreground has another shape, or a voxel of a pair lies outside
            the volume.
    """
    array, steps = check_affinities(affinities, offsets)
    attractive = np.zeros(len(steps), bool)
    attractive[list(nearest_channels(steps))] = True
    if attractive.all():
        raise InputError(
            f"offsets must include some beyond {list(NEAREST)}, which repel, for the mutex watershed, got none"
        )
    stride_array = np.array(check_whole_triple(strides, "strides"), np.int64)
    check_within(bias, -1, 1, "bias")
    shape = array.shape[1:]
    if array[0].size >= 2**32 or len(array) > 2**8:
        raise InputError(
            "affinities must have fewer than 2**32 voxels and at most 256 channels for the mutex watershed, got shape "
            f"{array.shape}"
        )
    checked_pairs = check_voxel_pairs(apart, shape)
    inside = np.ones(shape, bool) if foreground is None else np.asarray(foreground) != 0
    if inside.shape != shape:
        raise InputError(f"the foreground must have the affinities' shape {shape}, got {inside.shape}")
    offset_array = np.array(steps, np.int64)
    edges = _edges(array, affinity_unit(array), offset_array, attractive, stride_array, float(bias), inside)
    strides_of_voxels = np.array([shape[1] * shape[2], shape[2], 1])
    pairs = np.array(checked_pairs, np.int64).reshape(-1, 2, 3) @ strides_of_voxels
    labels = np.zeros(array[0].size, np.uint32)
    count = _cluster(sorted_by_high_bits(edges, _KEY_BITS), offset_array @ strides_of_voxels, attractive, pairs, labels)
    return labels.astype(np.min_scalar_type(count)).reshape(shape)


@njit(cache=True, nogil=True)
def _edges(affinities: Any, unit: float, offsets: Any, attractive: Any, strides: Any, bias: float, inside: Any) -> Any:
    """Return (E,) uint64 edges: 24 high bits that grow as priority falls, then 8 for the channel, 32 for the voxel."""
    channels, depth, height, width = affinities.shape
    low, high = min(0.0, bias), max(1.0, 1.0 + bias)
    scale = ((1 << _KEY_BITS) - 1) / (high - low)
    found = np.empty(0, np.uint64)
    count = 0
    # The first round counts the edges, the second stores them.
    for fill in (False, True):
        if fill:
            found = np.empty(count, np.uint64)
        count = 0
        for channel in range(channels):
            dz, dy, dx = offsets[channel]
            step_z, step_y, step_x = (1, 1, 1) if attractive[channel] else (strides[0], strides[1], strides[2])
            for z in range(0, depth, step_z):
                if not 0 <= z + dz < depth:
                    continue
                for y in range(0, height, step_y):
                    if not 0 <= y + dy < height:
                        continue
                    for x in range(0, width, step_x):
                        if not 0 <= x + dx < width:
                            continue
                        if not (inside[z, y, x] and inside[z + dz, y + dy, x + dx]):
                            continue
                        if fill:
                            affinity = affinities[channel, z, y, x] / unit
                            priority = affinity + bias if attractive[channel] else 1.0 - affinity
                            key = int((high - min(max(priority, low), high)) * scale + 0.5)
                            edge = (np.uint64(key) << np.uint64(_ID_BITS)) | (np.uint64(channel) << np.uint64(32))
                            found[count] = edge | np.uint64((z * height + y) * width + x)
                        count += 1
    return found


@njit(cache=True, nogil=True, inline="always")
def _slot(table: Any, key: Any) -> Any:
    """Return a key's slot in an open-addressing hash table, or the empty (0) slot where it belongs."""
    mask = np.uint64(table.size - 1)
    place = ((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask
    while table[place] != 0 and table[place] != key:
        place = (place + np.uint64(1)) & mask
    return place


@njit(cache=True, nogil=True, inline="always")
def _pair(one: Any, other: Any) -> Any:
    """Return the key of a pair of different roots, never 0."""
    return (np.uint64(min(one, other)) << np.uint64(32)) | np.uint64(max(one, other))


@njit(cache=True, nogil=True)
def _grown(table: Any, parent: Any) -> Any:
    """Return a table of twice the size that keeps only pairs of current roots, and their number."""
    grown = np.zeros(2 * table.size, np.uint64)
    used = 0
    for key in table:
        one, other = np.uint32(key >> np.uint64(32)), np.uint32(key)
        if key != 0 and parent[one] == one and parent[other] == other:
            grown[_slot(grown, key)] = key
            used += 1
    return grown, used


@njit(cache=True, nogil=True, inline="always")
def _append(lists: Any, following: Any, root: Any, entry: Any) -> None:
    """Append an entry to a root's list; a row of `lists` (N, 3) holds first entry, last entry and length."""
    following[entry] = _NONE
    if lists[root, 2] == 0:
        lists[root, 0] = entry
    else:
        following[lists[root, 1]] = entry
    lists[root, 1] = entry
    lists[root, 2] += np.uint32(1)


@njit(cache=True, nogil=True)
def _cluster(edges: Any, steps: Any, attractive: Any, apart: Any, labels: Any) -> int:
    """Join and exclude segments in the order of the edges, write segments 1..N to `labels` and return N.

    The pairs of voxels `apart` (P, 2) exclude each other first. Segments are in the order of first voxels.

    Exclusions are stored twice. A hash table of pairs of roots tells whether two segments may join. A list per root
    holds the pairs to enter again when the root is absorbed by another. The shorter list is walked, so each pair is
    entered again at most log N times.
    """
    parent = np.arange(labels.size).astype(np.uint32)
    joined = np.zeros(labels.size, np.bool_)
    table, used = np.zeros(1 << 16, np.uint64), 0
    lists = np.zeros((labels.size, 3), np.uint32)
    excluded, following = np.empty(1 << 16, np.uint32), np.empty(1 << 16, np.uint32)
    entries = np.uint32(0)

    for turn in range(len(apart) + edges.size):
        if turn < len(apart):
            here, there, attracts = np.uint32(apart[turn, 0]), np.uint32(apart[turn, 1]), False
        else:
            edge = edges[turn - len(apart)]
            channel = (edge >> np.uint64(32)) & np.uint64(0xFF)
            here, attracts = np.uint32(edge), attractive[channel]
            there = np.uint32(here + steps[channel])
        one, other = find(parent, here), find(parent, there)
        if one == other:
            continue
        if attracts:
            if lists[one, 2] < lists[other, 2]:
                one, other = other, one
            if lists[other, 2] != 0 and table[_slot(table, _pair(one, other))] != 0:
                continue
            parent[other] = one
            joined[one] = joined[other] = True
            entry = lists[other, 0] if lists[other, 2] != 0 else _NONE
            while entry != _NONE:
                then = following[entry]
                key = _pair(one, find(parent, excluded[entry]))
                place = _slot(table, key)
                if table[place] != key:
                    table[place] = key
                    used += 1
                    _append(lists, following, one, entry)
                    if 2 * used > table.size:
                        table, used = _grown(table, parent)
                entry = then
        else:
            key = _pair(one, other)
            place = _slot(table, key)
            if table[place] == key:
                continue
            table[place] = key
            used += 1
            if 2 * used > table.size:
                table, used = _grown(table, parent)
            if entries + np.uint32(2) > excluded.size:
                excluded = np.concatenate((excluded, np.empty_like(excluded)))
                following = np.concatenate((following, np.empty_like(following)))
            excluded[entries], excluded[entries + np.uint32(1)] = other, one
            _append(lists, following, one, entries)
            _append(lists, following, other, entries + np.uint32(1))
            entries += np.uint32(2)

    count = 0
    numbers = lists[:, 0]
    numbers[:] = 0
    for voxel in range(labels.size):
        if joined[voxel]:
            root = find(parent, np.uint32(voxel))
            if numbers[root] == 0:
                count += 1
                numbers[root] = count
            labels[voxel] = numbers[root]
    return count
