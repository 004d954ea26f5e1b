"""Contraction of the region graph of fragments to that of their segments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sectome.postprocess.region_graph import RegionGraph
from sectome.types import Array, LabelArray


def contract(
    graph: RegionGraph, lookup: LabelArray, order: Array | None = None
) -> tuple[RegionGraph, npt.NDArray[np.int64]]:
    """Return the region graph of segments, and for each of its edges the index of the old edge that breaks ties.

    Args:
        graph: region graph of the fragments, in which an edge may occur several times; not modified.
        lookup: (max_fragment + 1,) segment of each fragment.
        order: (E,) indices of the edges in the order in which equal scores merge, which the new graph keeps; `None`
            orders them by segment ids.
    """
    ends = np.sort(lookup[graph.edges].astype(np.int64), axis=1)
    keys = (ends[:, 0] << 32) | ends[:, 1]
    order = np.argsort(keys, kind="stable") if order is None else order
    order = order[ends[order, 0] != ends[order, 1]]
    _, decides, places = np.unique(keys[order], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(decides))
    places, decides = rank[places], np.sort(decides)

    def added(values: Array) -> Array:
        sums = np.zeros(len(decides), np.int64)
        np.add.at(sums, places, values[order])
        return sums

    levels = None
    if graph.levels is not None:
        of_edge = np.full(len(graph), -1)
        of_edge[order] = places
        of_level = np.repeat(of_edge, graph.counts)
        by_edge = np.lexsort((graph.levels, of_level))
        levels = graph.levels[by_edge[np.searchsorted(of_level[by_edge], 0) :]]
    united = RegionGraph(
        edges=ends[order[decides]],
        sums=added(graph.sums),
        counts=added(graph.counts),
        max_fragment=graph.max_fragment,
        unit=graph.unit,
        touching=None if graph.touching is None else added(graph.touching) > 0,
        levels=levels,
    )
    return united, order[decides]
