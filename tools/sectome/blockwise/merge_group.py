"""Merging within a group of blocks what merges whatever lies around it, so that little is left to do at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from sectome.blockwise.block_edges import as_id
from sectome.blockwise.block_grid import Box
from sectome.blockwise.plan import Plan
from sectome.postprocess.agglomeration import agglomerate
from sectome.postprocess.fragments_watershed import join_pairs
from sectome.postprocess.region_graph import RegionGraph
from sectome.types import Array, LabelArray

Ids = npt.NDArray[np.int64]


def merge_group(plan: Plan, number: int) -> dict[str, Array]:
    """Unite fragments that are one across the faces within a group of blocks, and merge those that can not wait.

    A fragment is open if it goes on outside or has an edge to there; all others know all of their edges, and of them
    merge those whose turn it is whatever the open ones do. A segment that can never merge again is final, and its edges
    are gone.

    Returns:
        "into" (F,): for each fragment, block by block, its part from 1 on; "starts" (blocks + 1,) of each block's. Of
        the R parts "voxels" and the "first" of them. "edges" (E, 2) between parts, with "sums", "counts", "touching",
        "keys" (E, 2): the first voxels of the two fragments whose edge decides between equal scores, and "open_keys"
        (E, 2): whether that is a part which may have an earlier one outside, so that the key is its number.
        "outer_edges" (X, 2) ids of fragments, one of them outside, with "outer_sums" and so on; "outer_same" (S, 2)
        ids; "open_ids" (O,) of fragments with their "open_parts".
    """
    group = Group.of(plan, number)
    records = [plan.folder.read("fragments", block) for block in group.blocks]
    voxels = np.concatenate([[0], *(record["voxels"] for record in records)]).astype(np.int64)
    first = np.concatenate([[-1], *(record["first"] for record in records)]).astype(np.int64)
    found = [plan.folder.read("edges", block) for block in group.blocks]
    edges, same = (np.concatenate([one[name] for one in found]) for name in ("edges", "same"))
    edges_within, same_within = group.holds(edges).all(axis=1), group.holds(same).all(axis=1)

    parent = np.arange(voxels.size)
    join_pairs(group.dense(same[same_within]), parent)
    roots = roots_of(parent)
    open_fragments = np.zeros(voxels.size, np.bool_)
    for pairs in (edges[~edges_within], same[~same_within], *group.pairs_beyond(plan)):
        open_fragments[group.dense(pairs[group.holds(pairs)])] = True
    parts = _number(roots, first, open_fragments)
    graph = _graph_within(
        parts[group.dense(edges[edges_within])],
        *(np.concatenate([one[name] for one in found])[edges_within] for name in ("sums", "counts", "touching")),
        parts_count=int(parts.max(initial=0)),
        unit=float(found[0]["unit"]),
    )
    sizes, earliest, is_open = _of_parts(parts, voxels, first, open_fragments)

    options = plan.options
    # Scores that may rise are no ground to merge before all edges are there.
    waiting = is_open if options.long_range == "no" else np.ones_like(is_open)
    history = agglomerate(
        graph,
        scoring=options.method,
        stop=options.threshold,
        sizes=sizes,
        large_voxels=options.large_voxels,
        waiting=waiting,
    )
    lookup = history.lookup_at(options.threshold)
    left, decides = contract(graph, lookup, np.arange(len(graph)))
    final = np.zeros(len(lookup), np.bool_)
    if options.long_range == "no" and not options.small_voxels:
        best = np.zeros(len(lookup))
        for end in left.edges.T:
            np.maximum.at(best, end, left.means)
        final = ~is_open & (best < options.threshold)
    kept = ~final[left.edges].any(axis=1)
    segments, numbers = np.unique(lookup[1:], return_inverse=True)
    new = np.zeros(len(lookup), np.int64)
    new[segments] = np.arange(1, segments.size + 1)
    key_parts = graph.edges[decides[kept]]
    outer = ~edges_within
    open_ids = group.ids()[np.flatnonzero(open_fragments[roots][1:])]
    return {
        "starts": group.starts,
        "into": new[lookup[parts[1:]]],
        "voxels": np.bincount(numbers, weights=sizes[1:], minlength=segments.size).astype(np.int64),
        "first": earliest[segments],
        "edges": new[left.edges[kept]],
        "sums": left.sums[kept],
        "counts": left.counts[kept],
        "touching": touching_of(left)[kept],
        "keys": np.where(is_open[key_parts], new[lookup[key_parts]], earliest[key_parts]),
        "open_keys": is_open[key_parts],
        "outer_edges": edges[outer],
        **{
            f"outer_{name}": np.concatenate([one[name] for one in found])[outer]
            for name in ("sums", "counts", "touching")
        },
        "outer_same": same[~same_within],
        "open_ids": open_ids,
        "open_parts": new[lookup[parts[group.dense(open_ids)]]],
        "unit": np.array(graph.unit),
    }


@dataclass(frozen=True)
class Group:
    """Some blocks, and where their fragments are when all of them are put in a row.

    Attributes:
        blocks: their numbers, ascending.
        starts: (blocks + 1,): fragment f of the n-th block is at ``starts[n] + f``.
        beyond: numbers of blocks whose edges may end in this group.
    """

    blocks: list[int]
    starts: Ids
    beyond: list[int]

    @classmethod
    def of(cls, plan: Plan, number: int) -> Group:
        """Return a group of a plan."""
        # Edges are kept with the later of their two voxels, but for offsets that point forward.
        forward = any(step > 0 for offset in plan.source.offsets for step in offset)
        around = plan.groups.with_context(number, [int(forward)] * 3, [1, 1, 1])
        blocks = blocks_of(plan, number)
        beyond = sorted({*_numbers(plan, around)} - {*blocks})
        counts = [len(plan.folder.read("fragments", block)["voxels"]) for block in blocks]
        return cls(blocks, np.cumsum([0, *counts]), beyond)

    def holds(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Return which fragments are of blocks of this group."""
        return np.isin(ids >> 32, self.blocks)

    def dense(self, ids: Ids) -> Ids:
        """Return where fragments of this group are."""
        places: Ids = self.starts[np.searchsorted(self.blocks, ids >> 32)] + (ids & 0xFFFFFFFF)
        return places

    def ids(self) -> Ids:
        """Return the ids of all fragments in their order."""
        return np.concatenate(
            [
                as_id(block, np.arange(1, count + 1))
                for block, count in zip(self.blocks, np.diff(self.starts), strict=True)
            ]
        )

    def pairs_beyond(self, plan: Plan) -> list[Ids]:
        """Return the pairs of ids that blocks around this group have found."""
        found = [plan.folder.read("edges", block) for block in self.beyond]
        return [record[name] for record in found for name in ("edges", "same")]


def blocks_of(plan: Plan, number: int) -> list[int]:
    """Return the numbers of the blocks of a group, ascending."""
    return _numbers(plan, plan.groups.core(number))


def _numbers(plan: Plan, box: Box) -> list[int]:
    """Return the numbers of blocks in a box of places, ascending."""
    return [plan.grid.number(place) for place in product(*(range(part.start, part.stop) for part in box))]


def contract(graph: RegionGraph, lookup: LabelArray, order: Ids) -> tuple[RegionGraph, Ids]:
    """Return the graph between segments, and which of its edges decides for each between equal scores.

    Args:
        graph: in which an edge may come several times.
        lookup: (max_fragment + 1,) the segment of every fragment.
        order: (E,) places of the edges in the order in which equal scores merge; that of the new graph is the same.
    """
    ends = np.sort(lookup[graph.edges[order]].astype(np.int64), axis=1)
    between = np.flatnonzero(ends[:, 0] != ends[:, 1])
    ends, order = ends[between], order[between]
    _, decides, places = np.unique((ends[:, 0] << 32) | ends[:, 1], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(decides))
    places, decides = rank[places], np.sort(decides)

    def added(values: Array) -> Array:
        sums = np.zeros(len(decides), np.int64)
        np.add.at(sums, places, values[order])
        return sums

    touching = None if graph.touching is None else added(graph.touching) > 0
    united = RegionGraph(
        edges=ends[decides],
        sums=added(graph.sums),
        counts=added(graph.counts),
        max_fragment=graph.max_fragment,
        unit=graph.unit,
        touching=touching,
    )
    return united, order[decides]


def touching_of(graph: RegionGraph) -> npt.NDArray[np.bool_]:
    """Return which edges are of fragments that share a face."""
    return np.ones(len(graph), np.bool_) if graph.touching is None else graph.touching


def roots_of(parent: Ids) -> Ids:
    """Return the root of each set."""
    while not np.array_equal(above := parent[parent], parent):
        parent = above
    return parent


def _number(roots: Ids, first: Ids, open_fragments: npt.NDArray[np.bool_]) -> Ids:
    """Return the number (F + 1,) from 1 of the part that each fragment belongs to; open parts come before all others.

    A closed part's equal is an open one with an earlier voxel that may yet be found: so it has to wait.
    """
    np.logical_or.at(open_fragments, roots, open_fragments)
    earliest = first.copy()
    np.minimum.at(earliest, roots, first)
    own = np.flatnonzero(roots == np.arange(roots.size))[1:]
    numbers = np.zeros(roots.size, np.int64)
    numbers[own[np.lexsort((earliest[own], ~open_fragments[own]))]] = np.arange(1, own.size + 1)
    parts: Ids = numbers[roots]
    return parts


def _of_parts(
    parts: Ids, voxels: Ids, first: Ids, open_fragments: npt.NDArray[np.bool_]
) -> tuple[Ids, Ids, npt.NDArray[np.bool_]]:
    """Return voxels, first voxel and openness of each part, (P + 1,)."""
    count = int(parts.max(initial=0)) + 1
    sizes = np.bincount(parts, weights=voxels, minlength=count).astype(np.int64)
    earliest, is_open = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.bool_)
    np.minimum.at(earliest, parts, first)
    np.logical_or.at(is_open, parts, open_fragments)
    return sizes, earliest, is_open


def _graph_within(edges: Ids, sums: Ids, counts: Ids, touching: Array, *, parts_count: int, unit: float) -> RegionGraph:
    """Return the graph of parts, sorted as equal scores merge."""
    graph = RegionGraph(np.sort(edges, axis=1), sums, counts, parts_count, unit, touching)
    order = np.lexsort((graph.edges[:, 1], graph.edges[:, 0]))
    return contract(graph, np.arange(parts_count + 1), order)[0]
