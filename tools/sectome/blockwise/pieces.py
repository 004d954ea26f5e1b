"""What the members of a group have found, put together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sectome.blockwise.block_edges import as_id
from sectome.blockwise.group import Group
from sectome.blockwise.neuron_plan import NeuronPlan
from sectome.postprocess.contract import contract
from sectome.postprocess.region_graph import RegionGraph
from sectome.postprocess.union_find import join_pairs
from sectome.types import Array

Ids = npt.NDArray[np.int64]

OF_EDGES = ("edges", "sums", "counts", "touching")

_BEFORE_ALL = 1 << 62
"""More than any voxel's flat index."""


@dataclass(frozen=True)
class Pieces:
    """The pieces of all members of a group in a row, from 1: fragments of blocks, or parts that groups have left.

    Attributes:
        starts: (members + 1,): piece p of the n-th member is at ``starts[n] + p``.
        voxels: (P + 1,) of each.
        first: (P + 1,) the first voxel of each, as a flat index of the volume; -1 of the background.
        same: (S, 2) pieces that are one.
        graph: between pieces, some of its E edges several times.
        keys: (E, 2) the first voxels of the two fragments whose edge decides between equal scores; or, where
            `key_is_piece` (E, 2), the pieces of which they are.
        key_is_piece: (E, 2), see `keys`.
        ids: (O,) fragments that edges from elsewhere may end in, ascending.
        piece_of_id: (O,) the pieces that they are of.
        goes_on: (P + 1,) whether a piece is one with a fragment beyond the group, or has an edge to there.
        outer: edges and equals of which one end lies beyond, by the names of `merge_group`.
    """

    starts: Ids
    voxels: Ids
    first: Ids
    same: Ids
    graph: RegionGraph
    keys: Ids
    key_is_piece: Array
    ids: Ids
    piece_of_id: Ids
    goes_on: Array
    outer: dict[str, Array]


def gather(plan: NeuronPlan, group: Group) -> Pieces:
    """Return what the members of a group have found."""
    records = [_record(plan, group.level - 1, number) for number in group.members]
    starts = np.cumsum([0, *(len(record["voxels"]) for record in records)])

    def stacked(name: str) -> Array:
        return np.concatenate([record[name] for record in records])

    def placed(name: str) -> Ids:
        """Return pieces as they are counted through all members."""
        return np.concatenate([record[name] + start for record, start in zip(records, starts, strict=False)])

    ids, piece_of_id = stacked("open_ids"), placed("open_parts")
    by_id = np.argsort(ids)
    ids, piece_of_id = ids[by_id], piece_of_id[by_id]

    def piece_of(fragments: Ids) -> Ids:
        return piece_of_id[np.searchsorted(ids, fragments)] if len(ids) else np.zeros(fragments.shape, np.int64)

    met, same = {name: stacked(f"outer_{name}") for name in OF_EDGES}, stacked("outer_same")
    meets, is_same = group.holds(met["edges"]).all(axis=1), group.holds(same).all(axis=1)
    goes_on = np.zeros(starts[-1] + 1, np.bool_)
    for pairs in (met["edges"][~meets], same[~is_same], *_pairs_beyond(plan, group)):
        goes_on[piece_of(pairs[group.holds(pairs)])] = True
    new = piece_of(met["edges"][meets])
    return Pieces(
        starts=starts,
        voxels=np.concatenate([[0], stacked("voxels")]).astype(np.int64),
        first=np.concatenate([[-1], stacked("first")]).astype(np.int64),
        same=piece_of(same[is_same]),
        graph=RegionGraph(
            edges=np.concatenate([placed("edges"), new]),
            sums=np.concatenate([stacked("sums"), met["sums"][meets]]),
            counts=np.concatenate([stacked("counts"), met["counts"][meets]]),
            max_fragment=int(starts[-1]),
            unit=float(records[0]["unit"]),
            touching=np.concatenate([stacked("touching"), met["touching"][meets]]),
        ),
        # Of first voxels nothing is made by counting them through, so that both kinds can be.
        keys=np.concatenate([np.where(stacked("open_keys"), placed("keys"), stacked("keys")), new]),
        key_is_piece=np.concatenate([stacked("open_keys"), np.ones(new.shape, np.bool_)]),
        ids=ids,
        piece_of_id=piece_of_id,
        goes_on=goes_on,
        outer={**{f"outer_{name}": met[name][~meets] for name in OF_EDGES}, "outer_same": same[~is_same]},
    )


def _record(plan: NeuronPlan, level: int, number: int) -> dict[str, Array]:
    """Return what a group has left, see `merge_group`; or what a block, at level 0, has found, in the same form."""
    if level > 0:
        return plan.folder.read(f"merge_{level}", number)
    found = plan.folder.read("edges", number)
    fragments = plan.folder.read("fragments", number, ["voxels", "first"])
    parts = np.arange(1, len(fragments["voxels"]) + 1)
    nothing = {name: found[name][:0] for name in OF_EDGES}
    return {
        **fragments,
        **nothing,
        "keys": np.empty((0, 2), np.int64),
        "open_keys": np.empty((0, 2), np.bool_),
        "open_ids": as_id(number, parts),
        "open_parts": parts,
        **{f"outer_{name}": found[name] for name in (*OF_EDGES, "same")},
        "unit": found["unit"],
    }


def _pairs_beyond(plan: NeuronPlan, group: Group) -> list[Ids]:
    """Return the pairs of fragments that others have found, of which one may be of this group."""
    level = group.level - 1
    stage, prefix = (f"merge_{level}", "outer_") if level else ("edges", "")
    names = [f"{prefix}{name}" for name in ("edges", "same")]
    return [pairs for number in group.beyond for pairs in plan.folder.read(stage, number, names).values()]


@dataclass(frozen=True)
class Parts:
    """Pieces that are one made one, from 1, and the graph between them.

    Attributes:
        of_piece: (P + 1,) the part that each piece belongs to.
        voxels: (R + 1,) of each part.
        first: (R + 1,) the first voxel of each, as far as it is known here.
        is_open: (R + 1,) whether a part goes on or has an edge to beyond the group.
        graph: in the order in which equal scores merge.
        keys: (E, 2) of its edges, see `Pieces`; parts in place of pieces.
        key_is_open: (E, 2) where a key is a part, because it may have an earlier voxel elsewhere.
    """

    of_piece: Ids
    voxels: Ids
    first: Ids
    is_open: Array
    graph: RegionGraph
    keys: Ids
    key_is_open: Array


def unite(pieces: Pieces) -> Parts:
    """Return pieces with those that are one made one; open parts come before all others, each by their first voxels.

    A closed part's equal is an open one with an earlier voxel that may yet be found: so it has to wait.
    """
    parent = np.arange(pieces.voxels.size)
    join_pairs(pieces.same, parent)
    roots = _roots(parent)
    open_roots, earliest = pieces.goes_on.copy(), pieces.first.copy()
    np.logical_or.at(open_roots, roots, pieces.goes_on)
    np.minimum.at(earliest, roots, pieces.first)
    own = np.flatnonzero(roots == np.arange(roots.size))[1:]
    own = own[np.lexsort((earliest[own], ~open_roots[own]))]
    numbers = np.zeros(roots.size, np.int64)
    numbers[own] = np.arange(1, own.size + 1)
    of_piece = numbers[roots]
    first, is_open = np.append(-1, earliest[own]), np.append(False, open_roots[own])

    of_key = of_piece[np.where(pieces.key_is_piece, pieces.keys, 0)]
    keys = np.where(pieces.key_is_piece, first[of_key], pieces.keys)
    key_is_open = is_open[of_key]
    ranks = np.sort(np.where(key_is_open, keys - _BEFORE_ALL, keys), axis=1)
    graph, decides = contract(
        replace(pieces.graph, max_fragment=own.size), of_piece, np.lexsort((ranks[:, 1], ranks[:, 0]))
    )
    return Parts(
        of_piece=of_piece,
        voxels=np.bincount(of_piece, weights=pieces.voxels).astype(np.int64),
        first=first,
        is_open=is_open,
        graph=graph,
        keys=np.where(key_is_open, of_key, keys)[decides],
        key_is_open=key_is_open[decides],
    )


def _roots(parent: Ids) -> Ids:
    """Return the root of each set."""
    while not np.array_equal(above := parent[parent], parent):
        parent = above
    return parent
