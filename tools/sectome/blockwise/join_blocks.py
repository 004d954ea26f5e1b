"""What the groups of blocks have left, put together and merged into segments."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from sectome.blockwise.merge_group import Ids, contract, roots_of, touching_of
from sectome.blockwise.plan import Plan
from sectome.postprocess.affinities_to_labels import segments_of
from sectome.postprocess.compact_labels import compact_lookup
from sectome.postprocess.fragments_watershed import join_pairs
from sectome.postprocess.region_graph import RegionGraph
from sectome.types import Array
from sectome.volumes.replace import replacing

SEGMENTS = "segments.npy"
"""The segment (P + 1,) of every part, 1..N, 0 for small ones; that of part p of group g is at starts[g] + p."""

STARTS = "starts.npy"
"""(groups + 1,), see `SEGMENTS`."""


def join_blocks(plan: Plan, number: int = 0) -> dict[str, Array]:
    """Write the segment of every part of every group.

    Parts that are one across the faces of groups become one, and are numbered by their first voxels, as fragments of
    the whole volume are; equal scores merge in the order of the fragments that they are of. So the agglomeration does
    what it does to the whole volume.

    Returns:
        how many "parts", "edges" and "segments" there are.
    """
    groups = [plan.folder.read("merge", group) for group in range(len(plan.groups))]
    starts = np.cumsum([0, *(len(group["voxels"]) for group in groups)])
    voxels = np.concatenate([[0], *(group["voxels"] for group in groups)]).astype(np.int64)
    first = np.concatenate([[-1], *(group["first"] for group in groups)]).astype(np.int64)

    def gathered(name: str) -> Array:
        return np.concatenate([group[name] for group in groups])

    def placed(name: str) -> Ids:
        """Return parts as they are counted through all groups."""
        return np.concatenate([group[name] + start for group, start in zip(groups, starts, strict=False)])

    open_ids, open_parts = gathered("open_ids"), placed("open_parts")
    by_id = np.argsort(open_ids)
    part_of = partial(_looked_up, open_ids[by_id], open_parts[by_id])

    parent = np.arange(voxels.size)
    join_pairs(part_of(gathered("outer_same")), parent)
    roots = roots_of(parent)
    earliest = first.copy()
    np.minimum.at(earliest, roots, first)
    own = np.flatnonzero(roots == np.arange(roots.size))
    numbers = np.zeros(roots.size, np.int64)
    numbers[own[np.argsort(earliest[own])]] = np.arange(own.size)
    numbers = numbers[roots]
    sizes = np.bincount(numbers, weights=voxels).astype(np.int64)

    outer = part_of(gathered("outer_edges"))
    keys = np.where(gathered("open_keys"), earliest[roots[_within(placed("keys"), roots.size)]], gathered("keys"))
    keys = np.sort(np.concatenate([keys, earliest[roots[outer]]]), axis=1)
    graph = RegionGraph(
        edges=numbers[np.concatenate([placed("edges"), outer])],
        sums=np.concatenate([gathered("sums"), gathered("outer_sums")]),
        counts=np.concatenate([gathered("counts"), gathered("outer_counts")]),
        max_fragment=sizes.size - 1,
        unit=float(groups[0]["unit"]),
        touching=np.concatenate([gathered("touching"), gathered("outer_touching")]),
    )
    graph, _ = contract(graph, np.arange(sizes.size), np.lexsort((keys[:, 1], keys[:, 0])))
    if plan.options.long_range == "touching":
        graph = _only_touching(graph)
    segments = segments_of(graph, plan.options, sizes)
    of_segments = np.bincount(segments, weights=sizes).astype(np.int64)
    final = compact_lookup(of_segments, plan.options.min_size_voxels)[segments][numbers]
    for name, array in ((SEGMENTS, final), (STARTS, starts)):
        with replacing(plan.folder.path / name) as partial_file, partial_file.open("wb") as file:
            np.save(file, array)
    return {
        "parts": np.array(sizes.size - 1),
        "edges": np.array(len(graph)),
        "segments": np.array(int(final.max(initial=0))),
    }


def _looked_up(known: Ids, values: Ids, ids: Ids) -> Ids:
    """Return the value of each id among sorted known ones."""
    return values[np.searchsorted(known, ids)] if len(known) else np.zeros(ids.shape, np.int64)


def _within(places: Ids, size: int) -> Ids:
    """Return places of an array of a size: those of keys that are no parts are not looked at, but must be some."""
    return np.clip(places, 0, size - 1)


def _only_touching(graph: RegionGraph) -> RegionGraph:
    """Return a graph without the edges of fragments that do not share a face."""
    kept = touching_of(graph)
    return replace(graph, edges=graph.edges[kept], sums=graph.sums[kept], counts=graph.counts[kept], touching=None)
