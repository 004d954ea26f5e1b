"""The results of a group's members, combined."""

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
"""Larger than any voxel's flat index."""


@dataclass(frozen=True)
class Pieces:
    """Pieces of a group: its members' fragments (of blocks) or parts (of groups), numbered consecutively from 1.

    Attributes:
        starts: (members + 1,): piece p of the n-th member has number ``starts[n] + p``.
        voxels: (P + 1,) voxel counts.
        first: (P + 1,) first voxel of each piece, as a flat index of the volume; -1 for the background.
        same: (S, 2) pieces to be united.
        graph: their region graph, in which some of the E edges are repeated.
        keys: (E, 2) first voxels of the two fragments whose edge breaks ties between equal scores; where
            `key_is_piece`, the piece of the fragment instead.
        key_is_piece: (E, 2) booleans, see `keys`.
        ids: (O,) ids of fragments in which edges from outside a member may end, ascending.
        piece_of_id: (O,) piece of each of these fragments.
        goes_on: (P + 1,) whether a piece continues or has an edge outside the group.
        outer: edges and `same` pairs with one end outside the group, named as in `merge_group`.
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
    """Combine the results of a group's members."""
    records = [_record(plan, group.level - 1, number) for number in group.members]
    starts = np.cumsum([0, *(len(record["voxels"]) for record in records)])

    def stacked(name: str) -> Array:
        return np.concatenate([record[name] for record in records])

    def placed(name: str) -> Ids:
        """Return pieces, numbered consecutively across members."""
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
        # First voxels stay as they are; only keys that are parts are renumbered.
        keys=np.concatenate([np.where(stacked("open_keys"), placed("keys"), stacked("keys")), new]),
        key_is_piece=np.concatenate([stacked("open_keys"), np.ones(new.shape, np.bool_)]),
        ids=ids,
        piece_of_id=piece_of_id,
        goes_on=goes_on,
        outer={**{f"outer_{name}": met[name][~meets] for name in OF_EDGES}, "outer_same": same[~is_same]},
    )


def _record(plan: NeuronPlan, level: int, number: int) -> dict[str, Array]:
    """Return the record of a group (see `merge_group`), or at level 0 that of a block in the same form."""
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
    """Return pairs of fragments found by non-members, of which one fragment may be in this group."""
    level = group.level - 1
    stage, prefix = (f"merge_{level}", "outer_") if level else ("edges", "")
    names = [f"{prefix}{name}" for name in ("edges", "same")]
    return [pairs for number in group.beyond for pairs in plan.folder.read(stage, number, names).values()]


@dataclass(frozen=True)
class Parts:
    """United pieces, numbered from 1, and the region graph between them.

    Attributes:
        of_piece: (P + 1,) part of each piece.
        voxels: (R + 1,) voxel counts.
        first: (R + 1,) first voxel of each part, as far as known in this group.
        is_open: (R + 1,) whether a part continues or has an edge outside the group.
        graph: region graph of the parts, edges in tie-breaking order.
        keys: (E, 2) keys of its edges as in `Pieces`, with parts instead of pieces.
        key_is_open: (E, 2) whether a key is a part, which may have an earlier voxel elsewhere.
    """

    of_piece: Ids
    voxels: Ids
    first: Ids
    is_open: Array
    graph: RegionGraph
    keys: Ids
    key_is_open: Array


def unite(pieces: Pieces) -> Parts:
    """Unite pieces that belong together; open parts are numbered before all others, both in the order of first voxels.

    An open part may yet get an earlier first voxel, so at equal scores it has precedence over a closed one.
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
    """Return the root of each element's set."""
    while not np.array_equal(above := parent[parent], parent):
        parent = above
    return parent
