"""Merging fragments, the surest pair first."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.check_affinities import check_probability
from sectome.postprocess.merge_history import MergeHistory
from sectome.postprocess.pair_table import EMPTY, find_slot, pair_key
from sectome.postprocess.region_graph import RegionGraph

_NONE = np.int64(-1)


@njit(cache=True, nogil=True)
def _table_of_living(ends: Any, alive: Any) -> Any:
    """Return a table from pairs of nodes to edges, at most a quarter full, and how many it holds."""
    living = 0
    for edge in range(len(alive)):
        living += alive[edge]
    slots = 1 << 4
    while slots < 4 * living:
        slots *= 2
    keys, values = np.full(slots, EMPTY), np.zeros(slots, np.int64)
    for edge in range(len(alive)):
        if alive[edge]:
            u, v = ends[edge, 0], ends[edge, 1]
            key = pair_key(u, v)
            place = find_slot(keys, key)
            keys[place], values[place] = key, edge
    return keys, values, living


@njit(cache=True, nogil=True)
def _merge(ends: Any, sums: Any, counts: Any, max_fragment: int, stop: float) -> Any:
    """Return the merges (M, 2) and their scores (M,); `ends`, `sums` and `counts` are used up.

    A node's edges are a linked list of half edges: half edge h belongs to edge h // 2. Edges that died are skipped when
    the list is next walked. A table from node pairs to edges finds parallel edges; pairs with a node that is gone are
    never asked for again, so nothing is deleted from it until it is rebuilt.
    """
    edges, nodes = len(ends), max_fragment + 1
    head, tail = np.full(nodes, _NONE), np.full(nodes, _NONE)
    following = np.full(2 * edges, _NONE)
    degree = np.zeros(nodes, np.int64)
    smallest = np.arange(nodes)
    alive, version = np.ones(edges, np.bool_), np.zeros(edges, np.int64)
    for half in range(2 * edges):
        node = ends[half // 2, half % 2]
        if head[node] == _NONE:
            head[node] = half
        else:
            following[tail[node]] = half
        tail[node] = half
        degree[node] += 1

    # Equal scores go by the edge's index, which is the smallest of the sorted edges that it has absorbed: an order that
    # does not depend on which of two nodes survives a merge.
    heap = [(-sums[edge] / counts[edge], np.int64(edge), np.int64(0)) for edge in range(edges)]
    heapq.heapify(heap)
    keys, values, used = _table_of_living(ends, alive)
    merges, scores = np.empty((max(0, nodes - 1), 2), np.int64), np.empty(max(0, nodes - 1))
    done = 0

    while len(heap) > 0:
        negative, edge, seen = heapq.heappop(heap)
        if not alive[edge] or version[edge] != seen:
            continue
        if -negative < stop:
            break
        alive[edge] = False
        keep, gone = ends[edge, 0], ends[edge, 1]
        # Only the edges of the node that goes are touched: the one with fewer.
        if degree[keep] < degree[gone]:
            keep, gone = gone, keep
        degree[keep] -= 1
        degree[gone] -= 1
        one, other = smallest[keep], smallest[gone]
        merges[done, 0], merges[done, 1] = min(one, other), max(one, other)
        # A mean of means cannot exceed the greater of them, except by rounding.
        scores[done] = -negative if done == 0 else min(-negative, scores[done - 1])
        done += 1
        smallest[keep] = min(one, other)

        half = head[gone]
        while half != _NONE:
            moved, after = half // 2, following[half]
            if alive[moved]:
                side = half % 2
                neighbour = ends[moved, 1 - side]
                ends[moved, side] = keep
                key = pair_key(keep, neighbour)
                place = find_slot(keys, key)
                if keys[place] == EMPTY:
                    if 2 * (used + 1) > keys.size:
                        keys, values, used = _table_of_living(ends, alive)
                        place = find_slot(keys, key)
                    if keys[place] == EMPTY:
                        keys[place] = key
                        used += 1
                    values[place] = moved
                    survivor = moved
                    degree[keep] += 1
                else:
                    parallel = values[place]
                    survivor, absorbed = min(moved, parallel), max(moved, parallel)
                    sums[survivor] += sums[absorbed]
                    counts[survivor] += counts[absorbed]
                    alive[absorbed] = False
                    values[place] = survivor
                    degree[neighbour] -= 1
                    version[survivor] += 1
                    heapq.heappush(heap, (-sums[survivor] / counts[survivor], survivor, version[survivor]))
                if survivor == moved:
                    following[half] = _NONE
                    if head[keep] == _NONE:
                        head[keep] = half
                    else:
                        following[tail[keep]] = half
                    tail[keep] = half
            half = after
        head[gone] = tail[gone] = _NONE
    return merges[:done].copy(), scores[:done].copy()


def agglomerate_mean(graph: RegionGraph, *, stop: float = 0.0) -> MergeHistory:
    """Return the merges of mean-affinity agglomeration.

    The edge with the greatest mean affinity is merged again and again; edges that become parallel by a merge add up
    their sums and counts. This is average linkage over voxel pairs, as in waterz (Funke et al. 2019,
    doi:10.1109/TPAMI.2018.2835450). The order is exact, and equal means go by the smallest pair of fragment ids behind
    them, so the result is always the same.

    Args:
        graph: the fragments' edges; it is not changed.
        stop: merges below this mean affinity are not looked for.

    Raises:
        InputError: if `stop` is outside 0..1.
    """
    check_probability(stop, "stop")
    merges, scores = _merge(graph.edges.copy(), graph.sums.copy(), graph.counts.copy(), graph.max_fragment, stop)
    return MergeHistory(merges=merges, scores=scores, max_fragment=graph.max_fragment, stopped_at=stop)
