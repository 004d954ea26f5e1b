"""Merging of small segments into a neighbour, after agglomeration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sectome.postprocess.agglomeration import agglomerate
from sectome.postprocess.contract import contract
from sectome.postprocess.region_graph import RegionGraph
from sectome.types import Array, LabelArray


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

    The greatest score merges first. A segment that has grown to the size stays.

    Args:
        graph: region graph of the fragments.
        lookup: (max_fragment + 1,) segment of each fragment, as the id of one of its fragments.
        sizes: (max_fragment + 1,) voxels of each fragment.
        small_voxels: size in voxels; two segments that both reach it do not merge.
        scoring: see `agglomerate`.
        stop: score that a neighbour must reach for a small segment to join it.
        apart: pairs of fragments that must not end up in one segment.
    """
    segment_sizes = np.bincount(lookup, weights=sizes, minlength=len(lookup)).astype(np.int64)
    pairs = lookup[np.asarray(apart, np.int64).reshape(-1, 2)].tolist()
    history = agglomerate(
        contract(graph, lookup)[0],
        scoring=scoring,
        stop=stop,
        apart=pairs,
        sizes=segment_sizes,
        large_voxels=small_voxels,
    )
    return history.lookup_at(stop)[lookup]
