"""Edges and segments as records, laid out for agglomeration, which is limited by memory access.

Numba recompiles a cached function only when its own file changes. After a change here, delete the `__pycache__` of the
modules that import this one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.region_graph import RegionGraph
from sectome.types import Array

NONE = np.int32(-1)

EDGE = np.dtype(
    [
        ("one", np.int32),
        ("other", np.int32),
        ("sum", np.int64),
        ("count", np.int64),
        ("queued", np.float64),
        ("start", np.int64),
        ("levels", np.int32),
        ("first", np.int32),
        ("queued_first", np.int32),
        ("next", np.int32),
        ("touching", np.bool_),
        ("forbidden", np.bool_),
        ("binned", np.bool_),
        ("padding", np.uint8, 5),
    ]
)
"""An edge, in one cache line.

`one` and `other` are the segments that it joins; `one` is `NONE` once the edge is dead. `first` is the smallest index
among this edge and those it absorbed. `queued` and `queued_first` are the score and the `first` of its best place in
the queue. `start` and `levels` are the position of its histogram and its number of levels. `next` is the next edge in
its bin, if `binned`."""

NODE = np.dtype(
    [("start", np.int64), ("length", np.int64), ("room", np.int64), ("voxels", np.int64), ("smallest", np.int64)]
)
"""A segment: start, length (with dead edges) and capacity of its list of edges; its voxel count; its smallest
fragment."""


def edge_records(graph: RegionGraph, apart: Array) -> Array:
    """Return the graph's edges as records, followed by new edges for pairs to keep apart that have none."""
    keys = (graph.edges[:, 0] << 32) | graph.edges[:, 1]
    apart_keys = (apart[:, 0] << 32) | apart[:, 1]
    places = np.searchsorted(keys, apart_keys)
    new = np.append(keys, -1)[places] != apart_keys
    edges = _aligned(len(graph) + int(new.sum()), EDGE)
    _fill_edges(edges, graph.edges, graph.sums, graph.counts, graph.touches)
    edges["forbidden"][places[~new]] = True
    for name, column in zip(("one", "other"), apart[new].T, strict=True):
        edges[name][len(graph) :] = column
    edges["forbidden"][len(graph) :] = True
    return edges


@njit(cache=True, nogil=True)
def _fill_edges(edges: Any, ends: Any, sums: Any, counts: Any, touching: Any) -> None:
    """Write all fields of the records; those beyond the graph's edges are empty."""
    for index in range(len(edges)):
        edge, known = edges[index], index < len(ends)
        edge.one, edge.other = (ends[index, 0], ends[index, 1]) if known else (0, 0)
        edge.sum, edge.count = (sums[index], counts[index]) if known else (0, 0)
        edge.touching = known and touching[index]
        edge.forbidden = edge.binned = False
        edge.start = edge.levels = 0
        edge.first, edge.queued_first, edge.next, edge.queued = index, index, NONE, -1.0


def _aligned(count: int, dtype: np.dtype[Any]) -> Array:
    """Return uninitialised records, aligned to cache lines of 64 bytes."""
    memory = np.empty(count * dtype.itemsize + 64, np.uint8)
    skipped = -memory.ctypes.data % 64
    return memory[skipped : skipped + count * dtype.itemsize].view(dtype)
