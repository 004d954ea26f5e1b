"""Merging within a group what merges whatever lies around it, so that little is left to do at once."""

from __future__ import annotations

import numpy as np

from sectome.blockwise.group import Group
from sectome.blockwise.neuron_plan import NeuronPlan
from sectome.blockwise.pieces import gather, unite
from sectome.postprocess.agglomeration import agglomerate
from sectome.postprocess.contract import contract
from sectome.types import Array


def merge_group(level: int, plan: NeuronPlan, number: int) -> dict[str, Array]:
    """Unite fragments that are one across the faces within a group, and merge those that can not wait.

    A part is open if it goes on outside or has an edge to there; all others know all of their edges, and of them merge
    those whose turn it is whatever the open ones do. A segment that can never merge again is final, and its edges are
    gone.

    Returns:
        "into" (P,): for each fragment of its blocks, or part of the groups below, its part from 1 on; "starts"
        (members + 1,) of each member's. Of the R parts "voxels" and the "first" of them. "edges" (E, 2) between parts,
        with "sums", "counts", "touching", "keys" (E, 2): the first voxels of the two fragments whose edge decides
        between equal scores, and "open_keys" (E, 2): whether that is a part which may have an earlier one outside, so
        that the key is its number. "outer_edges" (X, 2) ids of fragments, one of them outside, with "outer_sums" and so
        on; "outer_same" (S, 2) ids; "open_ids" (O,) of fragments with their "open_parts".
    """
    pieces = gather(plan, Group.of(plan, level, number))
    parts = unite(pieces)
    options, graph = plan.options, parts.graph
    # Scores that may rise are no ground to merge before all edges are there.
    waiting = parts.is_open if options.long_range == "no" else np.ones_like(parts.is_open)
    history = agglomerate(
        graph,
        scoring=options.method,
        stop=options.threshold,
        sizes=parts.voxels,
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
        final = ~parts.is_open & (best < options.threshold)
    kept = ~final[left.edges].any(axis=1)
    segments, numbers = np.unique(lookup[1:], return_inverse=True)
    new = np.zeros(len(lookup), np.int64)
    new[segments] = np.arange(1, segments.size + 1)
    into = new[lookup[parts.of_piece]]
    keys, open_keys = parts.keys[decides[kept]], parts.key_is_open[decides[kept]]
    still_open = parts.is_open[parts.of_piece[pieces.piece_of_id]]
    return {
        "starts": pieces.starts,
        "into": into[1:],
        "voxels": np.bincount(numbers, weights=parts.voxels[1:], minlength=segments.size).astype(np.int64),
        "first": parts.first[segments],
        "edges": new[left.edges[kept]],
        "sums": left.sums[kept],
        "counts": left.counts[kept],
        "touching": left.touches[kept],
        "unit": np.array(graph.unit),
        # An open part has merged with nothing.
        "keys": np.where(open_keys, new[np.where(open_keys, keys, 0)], keys),
        "open_keys": open_keys,
        **pieces.outer,
        "open_ids": pieces.ids[still_open],
        "open_parts": into[pieces.piece_of_id[still_open]],
    }
