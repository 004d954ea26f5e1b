"""Merging what the groups of the last level have left into segments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sectome.blockwise.group import Group
from sectome.blockwise.neuron_plan import NeuronPlan
from sectome.blockwise.pieces import gather, unite
from sectome.postprocess.affinities_to_labels import segments_of
from sectome.postprocess.compact_labels import compact_lookup
from sectome.postprocess.region_graph import RegionGraph
from sectome.types import Array

SEGMENTS = "segments.npy"
"""(P + 1,), the segment 1..N of every part, 0 for small segments; part p of group g is at index `STARTS`[g] + p."""

STARTS = "starts.npy"
"""(groups + 1,), start of each group in `SEGMENTS`."""


def join_blocks(plan: NeuronPlan, number: int = 0) -> dict[str, Array]:
    """Save the segment of every part of every group of the last level.

    Parts that continue across the faces of groups are united and numbered by their first voxels, as fragments of the
    whole volume are. Equal scores merge in the order of their fragments. So the agglomeration gives the result of the
    whole volume.

    Returns:
        the numbers of "parts", "edges" and "segments".
    """
    pieces = gather(plan, Group.of_all(plan))
    parts = unite(pieces)
    graph = _only_touching(parts.graph) if plan.options.long_range == "touching" else parts.graph
    segments = segments_of(graph, plan.options, parts.voxels)
    voxels = np.bincount(segments, weights=parts.voxels).astype(np.int64)
    final = compact_lookup(voxels, plan.options.min_size_voxels)[segments][parts.of_piece]
    plan.folder.save(SEGMENTS, final)
    plan.folder.save(STARTS, pieces.starts)
    return {
        "parts": np.array(parts.voxels.size - 1),
        "edges": np.array(len(graph)),
        "segments": np.array(int(final.max(initial=0))),
    }


def _only_touching(graph: RegionGraph) -> RegionGraph:
    """Return a graph without the edges between fragments that do not share a face."""
    kept = graph.touches
    return replace(graph, edges=graph.edges[kept], sums=graph.sums[kept], counts=graph.counts[kept], touching=None)
