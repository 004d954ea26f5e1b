"""What is merged in a part of a graph is what the whole graph merges, also where scores are equal."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from blockwise.conftest import do_all
from sectome.postprocess import RegionGraph, agglomerate
from sectome.postprocess.contract import contract


def random_graph(seed: int, nodes: int) -> RegionGraph:
    """Edges between near nodes, with few scores and so with many that are equal."""
    rng = np.random.default_rng(seed)
    pairs = {tuple(sorted((int(u), int(u) + int(step)))) for u, step in rng.integers(1, (nodes, 9), (4 * nodes, 2))}
    edges = np.array(sorted(pair for pair in pairs if pair[1] <= nodes), np.int64).reshape(-1, 2)
    counts = rng.integers(1, 4, len(edges))
    return RegionGraph(edges, counts * rng.integers(0, 5, len(edges)), counts, nodes, 4.0)


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 10**6),
    nodes=st.integers(2, 80),
    threshold=st.sampled_from([0.0, 0.25, 0.5, 0.8]),
    large=st.sampled_from([None, 3, 20]),
)
def test_merging_a_part_first_changes_nothing(seed, nodes, threshold, large):
    graph = random_graph(seed, nodes)
    sizes = np.random.default_rng(seed).integers(1, 9, nodes + 1)
    options = {"stop": threshold, "large_voxels": large}
    expected = agglomerate(graph, sizes=sizes, **options).lookup_at(threshold)

    first = np.random.default_rng(seed).random(nodes + 1) < 0.7
    within = first[graph.edges].all(axis=1)
    waiting = np.zeros(nodes + 1, bool)
    waiting[graph.edges[~within].ravel()] = True
    part = RegionGraph(graph.edges[within], graph.sums[within], graph.counts[within], nodes, graph.unit)
    lookup = agglomerate(part, sizes=sizes, waiting=waiting, **options).lookup_at(threshold)
    left, _ = contract(graph, lookup, np.arange(len(graph)))
    together = np.bincount(lookup, weights=sizes, minlength=nodes + 1).astype(np.int64)
    got = agglomerate(left, sizes=together, **options).lookup_at(threshold)[lookup]
    np.testing.assert_array_equal(got, expected)


def test_what_waits_merges_with_nothing_and_stops_what_would_merge_with_it_next():
    edges = np.array([[1, 2], [2, 3], [3, 4]])
    graph = RegionGraph(edges, np.array([8, 9, 7]), np.array([1, 1, 1]), 4, 10.0)
    # 2 and 3 are the surest; where 3 waits, 2 must not merge with 1, and 4 not with 3.
    waiting = np.array([False, False, False, True, False])
    assert len(agglomerate(graph, waiting=waiting)) == 0
    assert agglomerate(graph, waiting=np.array([False] * 4 + [True])).lookup_at(0).tolist() == [0, 1, 1, 1, 4]


def test_groups_leave_little_to_the_join(plan_of):
    plan = plan_of(group_blocks=(1, 3, 3), threshold=0.6)
    do_all(plan, stop_after="merge_1")
    records = [plan.folder.read("merge_1", group) for group in range(2)]
    edges = sum(len(plan.folder.read("edges", block)["edges"]) for block in range(len(plan.grid)))
    left = sum(len(record["edges"]) + len(record["outer_edges"]) for record in records)
    assert 0 < left < edges / 2
    assert all(len(record["voxels"]) == record["into"].max() for record in records)
