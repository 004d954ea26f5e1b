"""Merging within a group whatever merges regardless of its surroundings, to leave little for the final join."""

from __future__ import annotations

import numpy as np

from sectome.blockwise.group import Group
from sectome.blockwise.neuron_plan import NeuronPlan
from sectome.blockwise.pieces import gather, unite
from sectome.postprocess.agglomeration import agglomerate
from sectome.postprocess.contract import contract
from sectome.types import Array


def merge_group(level: int, plan: NeuronPlan, number: int) -> dict[str, Array]:
    """Unite fragments that continue across faces within a group, and merge those whose merge is certain.

    A part is open if it continues or has an edge outside the group. All edges of other parts are known, so those merge
    whose turn comes whatever the open ones do. A segment that can never merge again is final; its edges are dropped.

    Returns:
        "into" (P,), the part, from 1 on, of each fragment of its blocks or part of the groups below; "starts" (members
        + 1,), where each member begins in "into". For the R parts, "voxels" (counts) and "first" voxels. "edges" (E, 2)
        between parts, with "sums", "counts", "touching"; "keys" (E, 2), the first voxels of the two fragments whose
        edge breaks ties between equal scores; "open_keys" (E, 2), whether a key is instead the number of an open part,
        which may have an earlier voxel outside. "outer_edges" (X, 2), ids of fragments, one of them outside, with
        "outer_sums" and so on; "outer_same" (S, 2) ids; "open_ids" (O,) of fragments with their "open_parts".
    """
    pieces = gather(plan, Group.of(plan, level, number))
    parts = unite(pieces)
    options, graph = plan.options, parts.graph
    # With long-range edges scores can still rise: merge nothing before all are known.
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
        # Open parts have not merged, so they can be keys.
        "keys": np.where(open_keys, new[np.where(open_keys, keys, 0)], keys),
        "open_keys": open_keys,
        **pieces.outer,
        "open_ids": pieces.ids[still_open],
        "open_parts": into[pieces.piece_of_id[still_open]],
    }
