"""A slow twin of the agglomeration that keeps every single affinity, and graphs for it drawn by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from sectome.postprocess import MergeHistory, RegionGraph

Pair = tuple[int, int]


def score_of_levels(scoring: str) -> Callable[[list[int]], float]:
    """Return the score of a list of affinities in 0..255."""
    name, _, number = scoring.partition("_")

    def score(levels: list[int]) -> float:
        if name == "mean":
            return sum(levels) / (len(levels) * 255.0)
        if name == "quantile":
            # The least one with more than Q percent at or below it, or the greatest.
            return sorted(levels)[min(len(levels) - 1, int(number) * len(levels) // 100)] / 255.0
        greatest = sorted(levels)[-int(number) :]
        return sum(greatest) / (255.0 * len(greatest))

    return score


def graph_of(levels: Mapping[Pair, list[int]], far: Collection[Pair] = ()) -> RegionGraph:
    """Return a graph of {(u, v): affinities in 0..255}, in which the pairs `far` do not touch."""
    pairs = sorted(levels)
    return RegionGraph(
        edges=np.array(pairs, np.int64).reshape(-1, 2),
        sums=np.array([sum(levels[pair]) for pair in pairs], np.int64),
        counts=np.array([len(levels[pair]) for pair in pairs], np.int64),
        max_fragment=max(itertools.chain(*pairs)),
        unit=255.0,
        touching=np.array([pair not in far for pair in pairs]) if far else None,
        levels=np.array([level for pair in pairs for level in sorted(levels[pair])], np.uint8),
    )


def merges_of(history: MergeHistory) -> list[tuple[int, int, float]]:
    """Return [(smaller, larger, score)]."""
    return [(*merge, score) for merge, score in zip(history.merges.tolist(), history.scores.tolist(), strict=True)]


def levels_of_edges(graph: RegionGraph) -> dict[Pair, list[int]]:
    """Return {(u, v): affinities} of a region graph with levels."""
    each = np.split(graph.levels, np.cumsum(graph.counts)[:-1]) if len(graph) else []
    return {(u, v): levels.tolist() for (u, v), levels in zip(graph.edges.tolist(), each, strict=True)}


def reference_agglomeration(
    edges: Mapping[Pair, list[int]],
    scoring: str = "mean",
    *,
    stop: float = 0.0,
    touching: Collection[Pair] | None = None,
    apart: Sequence[Pair] = (),
    sizes: Sequence[int] | None = None,
    large_voxels: int | None = None,
) -> list[tuple[int, int, float]]:
    """Collect all affinities between all segments anew for each merge: [(smaller, larger, score)]."""
    score = score_of_levels(scoring)
    segment = {fragment: fragment for pair in [*edges, *apart] for fragment in pair}
    voxels = {fragment: sizes[fragment] if sizes is not None else 1 for fragment in segment}
    merges: list[tuple[int, int, float]] = []

    def ends_of(pair: Pair) -> Pair:
        one, other = sorted(segment[fragment] for fragment in pair)
        return one, other

    while True:
        between: dict[Pair, tuple[list[int], bool, int]] = {}
        for place, pair in enumerate(sorted(edges)):
            ends = ends_of(pair)
            if ends[0] != ends[1]:
                levels, touch, first = between.get(ends, ([], False, place))
                touch |= touching is None or pair in touching
                between[ends] = ([*levels, *edges[pair]], touch, first)
        forbidden = {ends_of(pair) for pair in apart}
        allowed = [
            (score(levels), -first, ends)
            for ends, (levels, touch, first) in between.items()
            if touch
            and ends not in forbidden
            and not (large_voxels and all(voxels[end] >= large_voxels for end in ends))
            and score(levels) >= stop
        ]
        if not allowed:
            return merges
        best, _, (keep, gone) = max(allowed)
        # A threshold takes every merge down to the first one below it.
        merges.append((keep, gone, min([best, *(known for _, _, known in merges[-1:])])))
        voxels[keep] += voxels[gone]
        segment = {fragment: keep if name == gone else name for fragment, name in segment.items()}
