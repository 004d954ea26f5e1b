"""The region graph between segments, made of the one between their fragments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sectome.postprocess.region_graph import RegionGraph
from sectome.types import Array, LabelArray


def contract(
    graph: RegionGraph, lookup: LabelArray, order: Array | None = None
) -> tuple[RegionGraph, npt.NDArray[np.int64]]:
    """Return the graph between segments, and which of the old edges decides for each between equal scores.

    Args:
        graph: of the fragments, in which an edge may come several times; it is not changed.
        lookup: (max_fragment + 1,) the segment of every fragment.
        order: (E,) places of the edges in the order in which equal scores merge, which that of the new graph follows;
            `None` is that of their segments' ids.
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
