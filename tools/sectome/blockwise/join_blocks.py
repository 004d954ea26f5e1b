"""What the groups of the last level have left, put together and merged into segments."""

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
"""The segment (P + 1,) of every part, 1..N, 0 for small ones; that of part p of group g is at starts[g] + p."""

STARTS = "starts.npy"
"""(groups + 1,), see `SEGMENTS`."""


def join_blocks(plan: NeuronPlan, number: int = 0) -> dict[str, Array]:
    """Write the segment of every part of every group of the last level.

    Parts that are one across the faces of groups become one, and are numbered by their first voxels, as fragments of
    the whole volume are; equal scores merge in the order of the fragments that they are of. So the agglomeration does
    what it does to the whole volume.

    Returns:
        how many "parts", "edges" and "segments" there are.
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
    """Return a graph without the edges of fragments that do not share a face."""
    kept = graph.touches
    return replace(graph, edges=graph.edges[kept], sums=graph.sums[kept], counts=graph.counts[kept], touching=None)
