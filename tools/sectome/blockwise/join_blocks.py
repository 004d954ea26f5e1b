"""All blocks' fragments and edges put together, and merged into segments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sectome.blockwise.plan import Plan
from sectome.postprocess.absorb_small import contracted
from sectome.postprocess.affinities_to_labels import segments_of
from sectome.postprocess.compact_labels import compact_lookup
from sectome.postprocess.fragments_watershed import join_pairs
from sectome.postprocess.region_graph import RegionGraph
from sectome.types import Array
from sectome.volumes.replace import replacing

SEGMENTS = "segments.npy"
"""The segment (F + 1,) of every fragment, 1..N, 0 for small ones; that of fragment f of block b is at starts[b] + f."""

STARTS = "starts.npy"
"""(blocks + 1,), see `SEGMENTS`."""


def join_blocks(plan: Plan, number: int = 0) -> dict[str, Array]:
    """Write the segment of every fragment of every block.

    Fragments that are one across faces become one, and are numbered by their first voxels, as those of the whole
    volume are; so that the agglomeration does what it does there.

    Returns:
        how many "fragments", "edges" and "segments" there are.
    """
    blocks = [plan.folder.read("fragments", block) for block in range(len(plan.grid))]
    starts = np.cumsum([0, *(len(block["voxels"]) for block in blocks)])
    voxels = np.concatenate([np.zeros(1, np.int64), *(block["voxels"] for block in blocks)])
    first = np.concatenate([np.full(1, -1), *(block["first"] for block in blocks)])
    del blocks
    found = [plan.folder.read("edges", block) for block in range(len(plan.grid))]

    def dense(ids: Array) -> npt.NDArray[np.int64]:
        places: npt.NDArray[np.int64] = starts[ids >> 32] + (ids & 0xFFFFFFFF)
        return places

    fragments = _united(np.concatenate([dense(block["same"]) for block in found]), voxels.size, first)
    sizes = np.bincount(fragments, weights=voxels).astype(np.int64)
    graph = replace(contracted(_graph_of(found, dense, voxels.size), fragments), max_fragment=sizes.size - 1)
    if plan.options.long_range == "touching":
        graph = _only_touching(graph)
    segments = segments_of(graph, plan.options, sizes)
    voxels_of_segments = np.bincount(segments, weights=sizes).astype(np.int64)
    final = compact_lookup(voxels_of_segments, plan.options.min_size_voxels)[segments][fragments]
    for name, array in ((SEGMENTS, final), (STARTS, starts)):
        with replacing(plan.folder.path / name) as partial, partial.open("wb") as file:
            np.save(file, array)
    return {
        "fragments": np.array(sizes.size - 1),
        "edges": np.array(len(graph)),
        "segments": np.array(int(final.max(initial=0))),
    }


def _united(same: Array, count: int, first: Array) -> npt.NDArray[np.int64]:
    """Return the fragment (count,) that each block's fragment is a part of, 1..N by their first voxels; 0 stays 0."""
    parent = np.arange(count)
    join_pairs(same, parent)
    for _ in range(64):
        above = parent[parent]
        if np.array_equal(above, parent):
            break
        parent = above
    earliest = first.copy()
    np.minimum.at(earliest, parent, first)
    roots = np.flatnonzero(parent == np.arange(count))
    numbers = np.zeros(count, np.int64)
    numbers[roots[np.argsort(earliest[roots])]] = np.arange(roots.size)
    united: npt.NDArray[np.int64] = numbers[parent]
    return united


def _graph_of(found: list[dict[str, Array]], dense: Callable[[Array], Array], count: int) -> RegionGraph:
    """Return the edges of all blocks as one graph, in which an edge may come several times."""
    touching = [block["touching"] for block in found if "touching" in block]
    return RegionGraph(
        edges=dense(np.concatenate([block["edges"] for block in found])),
        sums=np.concatenate([block["sums"] for block in found]),
        counts=np.concatenate([block["counts"] for block in found]),
        max_fragment=count - 1,
        unit=float(found[0]["unit"]),
        touching=np.concatenate(touching) if touching else None,
    )


def _only_touching(graph: RegionGraph) -> RegionGraph:
    """Return a graph without the edges of fragments that do not share a face."""
    kept = graph.touching
    return replace(graph, edges=graph.edges[kept], sums=graph.sums[kept], counts=graph.counts[kept], touching=None)
