"""Which fragments touch, and with what affinities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from sectome.postprocess.check_affinities import (
    affinity_unit,
    check_affinities,
    check_fragments,
    nearest_channels,
)
from sectome.postprocess.pair_table import EMPTY, find_slot, pair_key
from sectome.types import Offsets

_FIRST_SLOTS = 1 << 12


@dataclass(frozen=True, eq=False)
class RegionGraph:
    """Edges between fragments that share a face.

    Attributes:
        edges: (E, 2) int64 fragment ids u < v, sorted by (u, v), none twice, without the background 0.
        sums: (E,) float64 sums of the affinities in 0..1 between u and v.
        counts: (E,) int64 numbers of voxel pairs behind the sums.
        max_fragment: the largest fragment id; it may have no edge.
    """

    edges: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    max_fragment: int

    def __len__(self) -> int:
        """Return the number of edges."""
        return len(self.edges)

    @property
    def means(self) -> npt.NDArray[np.float64]:
        """The (E,) mean affinities in 0..1."""
        return self.sums / self.counts


@njit(cache=True, nogil=True)
def _grow(keys: Any, sums: Any, counts: Any) -> Any:
    """Return the table with twice the slots."""
    new_keys = np.full(2 * keys.size, EMPTY)
    new_sums = np.zeros(new_keys.size, np.float64)
    new_counts = np.zeros(new_keys.size, np.int64)
    for old in range(keys.size):
        if keys[old] != EMPTY:
            new = find_slot(new_keys, keys[old])
            new_keys[new], new_sums[new], new_counts[new] = keys[old], sums[old], counts[old]
    return new_keys, new_sums, new_counts


@njit(cache=True, nogil=True)
def _accumulate(channel: Any, step: Any, fragments: Any, table: Any, touching_only: bool) -> Any:
    """Add one channel's affinities between different fragments to the table (keys, sums, counts), and return it.

    With `touching_only` an edge that the table does not hold yet is passed over.
    """
    keys, sums, counts = table
    used = 0
    for key in keys:
        if key != EMPTY:
            used += 1
    depth, height, width = fragments.shape
    dz, dy, dx = step
    last_key, last_slot = EMPTY, np.int64(0)
    for z in range(max(0, -dz), depth - max(0, dz)):
        for y in range(max(0, -dy), height - max(0, dy)):
            for x in range(max(0, -dx), width - max(0, dx)):
                u = np.int64(fragments[z, y, x])
                v = np.int64(fragments[z + dz, y + dy, x + dx])
                if u == v or u == 0 or v == 0:
                    continue
                key = pair_key(u, v)
                if key != last_key:
                    slot = find_slot(keys, key)
                    if keys[slot] == EMPTY:
                        if touching_only:
                            continue
                        if 2 * (used + 1) > keys.size:
                            keys, sums, counts = _grow(keys, sums, counts)
                            slot = find_slot(keys, key)
                        keys[slot] = key
                        used += 1
                    last_key, last_slot = key, slot
                sums[last_slot] += channel[z, y, x]
                counts[last_slot] += 1
    return keys, sums, counts


def region_graph(affinities: Any, offsets: Offsets, fragments: Any, *, long_range: bool = True) -> RegionGraph:
    """Return the affinities between every two fragments that touch, summed and counted.

    Two fragments touch if they share a face. Offsets longer than a voxel add to those edges, but never make one: a pair
    of voxels further apart says nothing on whether what lies between them may be merged.

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8.
        offsets: K steps that hold `NEAREST`.
        fragments: (Z, Y, X) integers, 0 is background and has no edges.
        long_range: whether offsets other than `NEAREST` contribute.

    Raises:
        InputError: if the affinities do not fit the offsets, or the fragments not the affinities.
    """
    array, steps = check_affinities(affinities, offsets)
    nearest = nearest_channels(steps)
    fragments = check_fragments(fragments, array.shape[1:])
    table = (np.full(_FIRST_SLOTS, EMPTY), np.zeros(_FIRST_SLOTS, np.float64), np.zeros(_FIRST_SLOTS, np.int64))
    for channel in nearest:
        table = _accumulate(array[channel], steps[channel], fragments, table, False)
    if long_range:
        for channel in range(len(steps)):
            if channel not in nearest:
                table = _accumulate(array[channel], steps[channel], fragments, table, True)

    keys, sums, counts = table
    used = np.flatnonzero(keys != EMPTY)
    used = used[np.argsort(keys[used])]
    edges = np.stack([keys[used] >> 32, keys[used] & (2**32 - 1)], axis=1)
    return RegionGraph(
        edges=edges,
        # Sums of uint8 are exact integers until this one division.
        sums=sums[used] / affinity_unit(array),
        counts=counts[used],
        max_fragment=int(fragments.max(initial=0)),
    )
