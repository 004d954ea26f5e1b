"""Small segments join a neighbour: a rule on sizes after the agglomeration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sectome.postprocess.agglomeration import agglomerate
from sectome.postprocess.region_graph import RegionGraph
from sectome.types import Array, LabelArray


def contracted(graph: RegionGraph, lookup: LabelArray) -> RegionGraph:
    """Return the graph between segments, of which `lookup` gives the one of each fragment; it is not changed."""
    ends = np.sort(lookup[graph.edges].astype(np.int64), axis=1)
    between = ends[:, 0] != ends[:, 1]
    keys, places = np.unique((ends[between, 0] << 32) | ends[between, 1], return_inverse=True)
    levels = None
    if graph.levels is not None:
        of_level = np.full(len(graph), -1)
        of_level[between] = places
        of_level = np.repeat(of_level, graph.counts)
        order = np.lexsort((graph.levels, of_level))
        levels = graph.levels[order[np.searchsorted(of_level[order], 0) :]]
    return RegionGraph(
        edges=np.stack([keys >> 32, keys & (2**32 - 1)], axis=1),
        sums=_added(graph.sums[between], places, len(keys)),
        counts=_added(graph.counts[between], places, len(keys)),
        max_fragment=graph.max_fragment,
        unit=graph.unit,
        touching=None if graph.touching is None else _added(graph.touching[between], places, len(keys)) > 0,
        levels=levels,
    )


def _added(values: Array, places: Array, count: int) -> Array:
    """Return (count,) int64 sums of the values of each place."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, places, values)
    return sums


def absorb_small(
    graph: RegionGraph,
    lookup: LabelArray,
    sizes: Array,
    small_voxels: int,
    *,
    scoring: str = "mean",
    stop: float = 0.0,
    apart: Sequence[Sequence[int]] = (),
) -> LabelArray:
    """Return a lookup in which segments below a size have joined the neighbour with the greatest score.

    The surest pair merges first, and what has grown to the size stays.

    Args:
        graph: of the fragments.
        lookup: (max_fragment + 1,) the segment of every fragment, an id of one of its fragments.
        sizes: (max_fragment + 1,) voxels of every fragment.
        small_voxels: two segments of so many voxels or more do not merge.
        scoring: see `agglomerate`.
        stop: a small segment without a neighbour that scores this much stays.
        apart: pairs of fragments that must not end in one segment.
    """
    segment_sizes = np.bincount(lookup, weights=sizes, minlength=len(lookup)).astype(np.int64)
    pairs = lookup[np.asarray(apart, np.int64).reshape(-1, 2)].tolist()
    history = agglomerate(
        contracted(graph, lookup),
        scoring=scoring,
        stop=stop,
        apart=pairs,
        sizes=segment_sizes,
        large_voxels=small_voxels,
    )
    return history.lookup_at(stop)[lookup]
