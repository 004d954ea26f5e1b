"""Quantile and max-K scores: by hand, against a twin that keeps every affinity, and against waterz."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_agglomeration import graph_of, levels_of_edges, merges_of, reference_agglomeration, score_of_levels
from sectome.affinities import labels_to_affinities
from sectome.checks import InputError
from sectome.neighbourhoods import NEAREST
from sectome.postprocess import agglomerate, region_graph
from sectome.postprocess.scoring import MAX, MEAN, QUANTILE, parse_scoring

MIXED = (*NEAREST, (0, 0, -3), (-1, 2, 0))
SCORINGS = ("mean", "quantile_0", "quantile_25", "quantile_50", "quantile_75", "quantile_85", "quantile_100")
SCORINGS += ("max_1", "max_3", "max_10")


def blocks(shape, size):
    """Fragments of equal boxes."""
    places = np.ravel_multi_index(np.indices(shape), shape) + 1
    return np.kron(places, np.ones(size, int))


@pytest.mark.parametrize(
    ("scoring", "level"),
    [
        ("quantile_0", 10),
        ("quantile_25", 20),  # of four, the second: one lies below it
        ("quantile_50", 30),
        ("quantile_74", 30),
        ("quantile_75", 250),
        ("quantile_100", 250),
        ("max_1", 250),
        ("max_2", 140),
        ("max_9", 77.5),
        ("mean", 77.5),
    ],
)
def test_the_score_of_one_edge(scoring, level):
    history = agglomerate(graph_of({(1, 2): [20, 250, 10, 30]}), scoring=scoring)
    assert merges_of(history) == [(1, 2, level / 255)]
    assert score_of_levels(scoring)([20, 250, 10, 30]) == level / 255


def test_names_of_scorings_are_read():
    assert parse_scoring("mean") == (MEAN, 0)
    assert parse_scoring("quantile_75") == (QUANTILE, 75)
    assert parse_scoring("max_10") == (MAX, 10)


def test_a_mean_of_the_greatest_can_rise_with_a_merge_and_the_history_does_not():
    # 1-2 merges at 200. Then 3 hangs on both, by {180, 0} and {160, 0}: alone 90 and 80, together 170.
    graph = graph_of({(1, 2): [200, 200], (1, 3): [180, 0], (2, 3): [160, 0], (3, 4): [150, 150]})
    assert merges_of(agglomerate(graph, scoring="max_2")) == [
        (1, 2, 200 / 255),
        (1, 3, 170 / 255),
        (1, 4, 150 / 255),
    ]
    # Here the risen score is above that of the merge before: the history keeps the lower one.
    risen = graph_of({(1, 2): [150, 150], (1, 3): [255, 0], (2, 3): [245, 0]})
    history = agglomerate(risen, scoring="max_2")
    assert merges_of(history) == [(1, 2, 150 / 255), (1, 3, 150 / 255)]
    assert history.lookup_at(0.6).tolist() == [0, 1, 2, 3]
    assert history.lookup_at(0.5).tolist() == [0, 1, 1, 1]


def test_an_edge_below_the_threshold_is_not_forgotten_when_it_rises():
    graph = graph_of({(1, 2): [200, 200], (1, 3): [255, 0], (2, 3): [0, 245]})
    assert len(agglomerate(graph, scoring="max_2", stop=0.6)) == 2


def test_a_score_that_falls_and_rises_to_where_it_was_is_not_lost():
    # 1-3 and 1-4 merge; what leads to 2 then scores 255, 0 and 255 again, and is due earlier than at first.
    graph = graph_of(
        {
            (1, 2): [0],
            (1, 3): [255],
            (1, 4): [0],
            (2, 3): [0, 255],
            (2, 4): [255, 255, 255],
            (3, 4): [255, 255],
        }
    )
    assert merges_of(agglomerate(graph, scoring="quantile_50")) == [(1, 3, 1), (1, 4, 1), (1, 2, 1)]


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    scoring=st.sampled_from(SCORINGS),
    nodes=st.sampled_from([4, 9, 25]),
    kinds=st.sampled_from([2, 5, 256]),
    stop=st.sampled_from([0.0, 0.4]),
)
def test_agglomeration_agrees_with_the_twin(seed, scoring, nodes, kinds, stop):
    rng = np.random.default_rng(seed)
    levels = {}
    for u, v in rng.integers(1, nodes + 1, (3 * nodes, 2)).tolist():
        if u != v:
            drawn = rng.integers(0, kinds, int(rng.integers(1, 9))) * (255 // (kinds - 1))
            levels[min(u, v), max(u, v)] = drawn.tolist()
    levels[1, nodes] = [7]
    graph = graph_of(levels)
    before = graph.levels.copy()
    history = agglomerate(graph, scoring=scoring, stop=stop)
    assert merges_of(history) == reference_agglomeration(levels, scoring, stop=stop)
    assert np.all(np.diff(history.scores) <= 0)
    np.testing.assert_array_equal(graph.levels, before)


@pytest.mark.parametrize("scoring", ["quantile_50", "max_4"])
def test_histograms_of_many_levels_move_when_their_pool_is_full(scoring):
    fragments = blocks((3, 5, 6), (2, 5, 4))
    affinities = np.random.default_rng(0).integers(0, 256, (3, *fragments.shape), np.uint8)
    graph = region_graph(affinities, NEAREST, fragments, keep_levels=True)
    assert graph.counts.mean() > 8
    history = agglomerate(graph, scoring=scoring)
    assert merges_of(history) == reference_agglomeration(levels_of_edges(graph), scoring)
    assert len(history) == 89


@pytest.mark.parametrize("long_range", ["no", "touching", "all"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_single_affinity_is_kept(random_affinities, long_range, dtype):
    affinities = random_affinities(0, channels=5)
    affinities = (affinities * 255).astype(np.uint8) if dtype == np.uint8 else affinities
    fragments = np.random.default_rng(1).integers(0, 12, affinities.shape[1:])
    pairs = {offset: defaultdict(list) for offset in MIXED}
    for (channel, offset), here in itertools.product(enumerate(MIXED), np.ndindex(fragments.shape)):
        there = tuple(np.add(here, offset))
        if all(0 <= place < extent for place, extent in zip(there, fragments.shape, strict=True)):
            u, v = sorted((int(fragments[here]), int(fragments[there])))
            if 0 < u < v:
                value = affinities[(channel, *here)]
                pairs[offset][u, v].append(int(value) if dtype == np.uint8 else int(value * 256))
    near = set().union(*(pairs[offset] for offset in NEAREST))
    expected = defaultdict(list)
    for offset in NEAREST if long_range == "no" else MIXED:
        for pair, levels in pairs[offset].items():
            if long_range == "all" or pair in near:
                expected[pair] += levels
    graph = region_graph(affinities, MIXED, fragments, long_range=long_range, keep_levels=True)
    assert levels_of_edges(graph) == {pair: sorted(levels) for pair, levels in expected.items()}


def partition(labels):
    """Labels by first appearance, to compare partitions."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].reshape(labels.shape)


@pytest.mark.parametrize("percent", [25, 50, 75, 85])
def test_waterz_agrees(percent):
    waterz = pytest.importorskip("waterz", reason="waterz has wheels for Python 3.11 and later only")
    fragments = blocks((2, 4, 4), (2, 2, 2))
    between = labels_to_affinities(fragments, NEAREST)[0] == 0
    between[0, 0], between[1, :, 0], between[2, :, :, 0] = False, False, False
    cuts, partitions = range(240, 20, -20), set()
    for seed in range(5):
        stored = np.zeros(between.shape, np.uint8)
        # Each level once: no two scores are ever equal, so there is one right order.
        stored[between] = np.random.default_rng(seed).permutation(256)
        history = agglomerate(region_graph(stored, NEAREST, fragments, keep_levels=True), scoring=f"quantile_{percent}")
        theirs = waterz.agglomerate(
            (stored / 255).astype(np.float32),
            [1 - cut / 256 for cut in cuts],
            fragments=fragments.astype(np.uint64),
            scoring_function=f"OneMinus<HistogramQuantileAffinity<RegionGraphType,{percent},ScoreValue,256,false>>",
        )
        for cut, segments in zip(cuts, theirs, strict=True):
            labels = history.labels_at((cut - 0.5) / 255, fragments)
            np.testing.assert_array_equal(partition(labels), partition(segments))
            partitions.add(int(labels.max()))
    assert len(partitions) >= 10


@pytest.mark.parametrize(
    "name", ["median", "quantile_", "quantile_101", "quantile_-5", "quantile_7.5", "max_0", "max_", "max", "", "mean_1"]
)
def test_unknown_scorings_are_refused(name):
    with pytest.raises(
        InputError, match=f"scoring must be mean, quantile_Q with Q in 0..100 .*, or max_K, got '{name}'"
    ):
        parse_scoring(name)


@pytest.mark.parametrize("scoring", ["quantile_50", "max_3"])
def test_a_graph_without_levels_is_refused(random_affinities, scoring):
    graph = region_graph(random_affinities(0), NEAREST, blocks((5, 7, 3), (1, 1, 3)))
    with pytest.raises(
        InputError, match=rf"region graph must have levels \(keep_levels=True\) for scoring {scoring}, got"
    ):
        agglomerate(graph, scoring=scoring)
