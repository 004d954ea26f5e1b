"""Sums of affinities over the voxel pairs between fragments, per edge: the compiled part of the region graph.

An entry is a row of three integers: key, sum of affinities, and count. The key holds the smaller fragment id in its
high 32 bits and the greater in its low 32 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.types import Array, LabelArray


def sum_slab(
    affinities: Array,
    channels: Array,
    steps: Array,
    scale: float,
    fragments: LabelArray,
    first: int,
    last: int,
    core: Array,
    rows: Array,
    known: Array,
) -> Array:
    """Return (N, 3) keys, sums and counts of the voxel pairs whose affinity is stored in sections `first` to `last`.

    `core` holds start and stop along z, y and x of the affinities that count.

    Sums are integers in units of 1 / `scale` of the stored values. If `known` is not empty, only its edges are summed:
    it holds their greater ends, those of smaller end u from ``rows[u]`` on.

    A counting sort groups pairs by their smaller end. It reads memory sequentially, where a hash table of so many pairs
    would miss the cache at every step.
    """
    # Memory from NumPy costs nothing until it is touched: a slab has few of all fragments, and pairs at few of its
    # voxels.
    places = np.zeros(rows.size, np.int64)
    most = (last - first) * fragments[0].size * channels.size
    smaller, words = np.empty(most, np.uint32), np.empty(most, np.int64)
    where = (fragments, channels, steps, first, last, core)
    ends, count = _list_pairs(*where, affinities, scale, rows, known, places, smaller, words)
    return _sum_pairs(smaller[:count], words[:count], places, np.sort(ends))


def sum_up(parts: list[Array], nodes: int) -> Array:
    """Return the sorted entries of all parts, with equal keys added up; each part is sorted, ids are below `nodes`."""
    if len(parts) == 1:
        return parts[0]
    places = np.zeros(nodes + 1, np.int64)
    nothing = np.empty((0, 3), np.int64)
    for part in parts:
        _place(part, places[1:], nothing)
    places = np.cumsum(places)
    merged = np.full((int(places[-1]), 3), -1)
    for part in parts:
        _place(part, places, merged)
    return merged[: _add_up(merged)]


@njit(cache=True, nogil=True)
def fill_levels(
    affinities: Any,
    channels: Any,
    steps: Any,
    scale: float,
    fragments: Any,
    core: Any,
    rows: Any,
    known: Any,
    starts: Any,
) -> Any:
    """Return the level 0..255 of each voxel pair's affinity, grouped by edge and sorted within an edge."""
    depth, height, width = fragments.shape
    places, levels = starts.copy(), np.empty(starts[-1], np.uint8)
    for z in range(core[0], core[1]):
        for channel in channels:
            dz, dy, dx = steps[channel]
            if not 0 <= z + dz < depth:
                continue
            # Rows that begin where the pairs do: a plain counter as index is what compiles to a fast loop.
            from_x = max(core[4], -dx)
            # No row where the step is wider than the volume: a slice to less than 0 would end before its last voxels.
            to_x = max(from_x, min(core[5], width - dx))
            for y in range(max(core[2], -dy), min(core[3], height - dy)):
                here, there = fragments[z, y, from_x:to_x], fragments[z + dz, y + dy, from_x + dx : to_x + dx]
                for x in range(here.size):
                    one, other = here[x], there[x]
                    if one == other or one == 0 or other == 0:
                        continue
                    edge = _edge_of(rows, known, np.int64(min(one, other)), np.int64(max(one, other)))
                    if edge >= 0:
                        levels[places[edge]] = min(255, int(affinities[channel, z, y, from_x + x] * scale))
                        places[edge] += 1
    for edge in range(known.size):
        levels[starts[edge] : starts[edge + 1]].sort()
    return levels


@njit(cache=True, nogil=True)
def _list_pairs(
    fragments: Any,
    channels: Any,
    steps: Any,
    first: int,
    last: int,
    core: Any,
    affinities: Any,
    scale: float,
    rows: Any,
    known: Any,
    places: Any,
    smaller: Any,
    words: Any,
) -> Any:
    """Write each pair's smaller end, and a word with the greater end in the high 32 bits and the affinity in the low.

    Counts the pairs of each smaller end in `places`. Returns the (U,) smaller ends that occur and the number of pairs.
    """
    depth, height, width = fragments.shape
    ends, number, count = np.empty(1 << 10, np.int64), 0, 0
    differing = np.empty(width, np.int32)
    for z in range(first, last):
        for channel in channels:
            dz, dy, dx = steps[channel]
            if not 0 <= z + dz < depth:
                continue
            # Rows that begin where the pairs do: a plain counter as index is what compiles to a fast loop.
            from_x = max(core[4], -dx)
            # No row where the step is wider than the volume: a slice to less than 0 would end before its last voxels.
            to_x = max(from_x, min(core[5], width - dx))
            for y in range(max(core[2], -dy), min(core[3], height - dy)):
                here, there = fragments[z, y, from_x:to_x], fragments[z + dz, y + dy, from_x + dx : to_x + dx]
                row = affinities[channel, z, y, from_x:to_x]
                # List the borders first, without a branch: each one would be mispredicted.
                borders = 0
                for x in range(here.size):
                    differing[borders] = x
                    borders += here[x] != there[x]
                for x in differing[:borders]:
                    one, other = here[x], there[x]
                    if one == 0 or other == 0:
                        continue
                    u, v = np.int64(min(one, other)), np.int64(max(one, other))
                    if known.size > 0 and _edge_of(rows, known, u, v) < 0:
                        continue
                    if places[u] == 0:
                        if number == ends.size:
                            ends = np.concatenate((ends, np.empty_like(ends)))
                        ends[number] = u
                        number += 1
                    places[u] += 1
                    # Rounding may leave an affinity slightly below 0.
                    smaller[count], words[count] = u, (v << 32) | np.int64(max(0.0, row[x] * scale) + 0.5)
                    count += 1
    return ends[:number], count


@njit(cache=True, nogil=True)
def _sum_pairs(smaller: Any, words: Any, places: Any, ends: Any) -> Any:
    """Return the (N, 3) entries of listed pairs, sorted by key; `ends` are the sorted smaller ends."""
    starts, total = np.empty_like(ends), 0
    for index in range(ends.size):
        starts[index] = total
        total += places[ends[index]]
        places[ends[index]] = starts[index]
    pairs = np.empty_like(words)
    for index in range(words.size):
        u = smaller[index]
        pairs[places[u]] = words[index]
        places[u] += 1
    total = 0
    for index in range(ends.size):
        row = pairs[starts[index] : places[ends[index]]]
        _sort_short(row)
        previous = np.int64(-1)
        for pair in row:
            total += pair >> 32 != previous
            previous = pair >> 32
    found, total = np.empty((total, 3), np.int64), -1
    for index in range(ends.size):
        previous = np.int64(-1)
        for pair in pairs[starts[index] : places[ends[index]]]:
            v = pair >> 32
            if v != previous:
                total += 1
                found[total, 0], found[total, 1], found[total, 2] = (ends[index] << 32) | v, 0, 0
                previous = v
            found[total, 1] += pair & 0xFFFFFFFF
            found[total, 2] += 1
    return found


@njit(cache=True, nogil=True, inline="always")
def _edge_of(rows: Any, known: Any, u: int, v: int) -> int:
    """Return the index in `known` of the edge from u to v, or -1."""
    low, high = rows[u], rows[u + 1]
    while low < high:
        middle = (low + high) // 2
        if known[middle] < v:
            low = middle + 1
        elif known[middle] > v:
            high = middle
        else:
            return middle
    return -1


@njit(cache=True, nogil=True, inline="always")
def _sort_short(words: Any) -> None:
    """Sort words in place, by insertion if there are few, the usual case."""
    if words.size > 48:
        words.sort()
        return
    for index in range(1, words.size):
        word, place = words[index], index
        while place > 0 and words[place - 1] > word:
            words[place] = words[place - 1]
            place -= 1
        words[place] = word


@njit(cache=True, nogil=True, inline="always")
def _copy_entry(source: Any, index: int, target: Any, place: int) -> None:
    """Copy an entry by three assignments, far faster than that of a row."""
    for part in range(3):
        target[place, part] = source[index, part]


@njit(cache=True, nogil=True)
def _place(found: Any, places: Any, merged: Any) -> None:
    """Count the sorted entries of each smaller end, or merge them into `merged` if it is not empty."""
    first = 0
    while first < len(found):
        u, after = found[first, 0] >> 32, first
        while after < len(found) and found[after, 0] >> 32 == u:
            after += 1
        if len(merged):
            # The row in `merged` is sorted, too. Merging from the ends moves each entry at most once.
            old, new, place = places[u] - 1, after - 1, places[u] + after - first - 1
            while new >= first:
                if old >= 0 and merged[old, 0] > found[new, 0]:
                    _copy_entry(merged, old, merged, place)
                    old -= 1
                else:
                    _copy_entry(found, new, merged, place)
                    new -= 1
                place -= 1
        places[u] += after - first
        first = after


@njit(cache=True, nogil=True)
def _add_up(found: Any) -> int:
    """Add up consecutive entries with equal keys in place; return the number of keys."""
    count = 0
    for index in range(len(found)):
        if count and found[count - 1, 0] == found[index, 0]:
            found[count - 1, 1] += found[index, 1]
            found[count - 1, 2] += found[index, 2]
        else:
            _copy_entry(found, index, found, count)
            count += 1
    return count
