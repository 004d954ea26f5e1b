"""Mean-affinity agglomeration: by hand, against a search over all edges, and against waterz."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectome.checks import InputError
from sectome.metrics import variation_of_information
from sectome.neighbourhoods import NEAREST
from sectome.postprocess import MergeHistory, RegionGraph, agglomerate, fragments_watershed, region_graph


def make_graph(edges, max_fragment):
    """A graph from {(u, v): (sum, count)}."""
    keys = sorted(edges)
    return RegionGraph(
        edges=np.array(keys, np.int64).reshape(-1, 2),
        sums=np.rint([1024 * edges[key][0] for key in keys]).astype(np.int64),
        counts=np.array([edges[key][1] for key in keys], np.int64),
        max_fragment=max_fragment,
        unit=1024.0,
    )


def reference_agglomeration(graph, stop=0.0):
    """Look at all edges for each merge: [(smaller, larger, mean)]."""
    edges = {
        index: [set(pair), total, count]
        for index, (pair, total, count) in enumerate(
            zip(graph.edges.tolist(), (graph.sums / graph.unit).tolist(), graph.counts.tolist(), strict=True)
        )
    }
    merges = []
    while edges:
        best = max(edges, key=lambda index: (edges[index][1] / edges[index][2], -index))
        pair, total, count = edges.pop(best)
        if total / count < stop:
            break
        keep, gone = min(pair), max(pair)
        merges.append((keep, gone, total / count))
        by_pair = {}
        for index in sorted(edges):
            ends = frozenset(keep if end == gone else end for end in edges[index][0])
            if ends in by_pair:
                _, more, number = edges.pop(index)
                edges[by_pair[ends]][1] += more
                edges[by_pair[ends]][2] += number
            else:
                edges[index][0] = set(ends)
                by_pair[ends] = index
    return merges


def partition(labels):
    """Labels by first appearance, to compare partitions."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].reshape(labels.shape)


def test_parallel_edges_add_up():
    # 1-2 merges first. Then 3 hangs on both: (0.75 + 3 * 0.25) / 4 = 0.375.
    graph = make_graph({(1, 2): (0.875, 1), (1, 3): (0.75, 1), (2, 3): (0.75, 3)}, 3)
    history = agglomerate(graph)
    assert history.merges.tolist() == [[1, 2], [1, 3]]
    assert history.scores.tolist() == [0.875, 0.375]


def test_a_merge_is_named_by_the_smallest_fragments():
    graph = make_graph({(3, 4): (0.9, 1), (2, 4): (0.8, 1), (1, 5): (0.7, 1), (3, 5): (0.1, 1)}, 5)
    assert agglomerate(graph).merges.tolist() == [[3, 4], [2, 3], [1, 5], [1, 2]]


def test_equal_means_go_by_the_smallest_pair():
    graph = make_graph({(1, 2): (0.5, 1), (3, 4): (1.0, 2), (2, 3): (2.0, 4)}, 4)
    assert agglomerate(graph).merges.tolist() == [[1, 2], [1, 3], [1, 4]]


def test_agglomeration_stops_below_its_threshold_and_takes_it_in():
    graph = make_graph({(1, 2): (0.5, 1), (3, 4): (0.25, 1)}, 4)
    assert agglomerate(graph, stop=0.5).merges.tolist() == [[1, 2]]
    with pytest.raises(InputError, match=r"stop must lie in 0..1, got 2"):
        agglomerate(graph, stop=2)


def test_what_falls_below_the_threshold_in_the_last_bin_is_not_merged():
    # 1-3 waits at 2/1024 and falls to 1/2048 before its turn.
    graph = make_graph({(1, 2): (0.5, 1), (1, 3): (2 / 1024, 1), (2, 3): (0.0, 3)}, 3)
    assert agglomerate(graph, stop=0.0006).merges.tolist() == [[1, 2]]


def test_a_graph_without_edges_has_no_merges():
    history = agglomerate(make_graph({}, 3))
    assert len(history) == 0
    assert history.lookup_at(0.5).tolist() == [0, 1, 2, 3]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), levels=st.sampled_from([2, 1000]), nodes=st.sampled_from([5, 12, 40]))
def test_agglomeration_agrees_with_the_reference(seed, levels, nodes):
    rng = np.random.default_rng(seed)
    edges = {}
    for u, v in rng.integers(1, nodes + 1, (3 * nodes, 2)).tolist():
        if u != v:
            count = int(rng.integers(1, 5))
            # Binary fractions: sums are exact in any order, and with two levels nearly all means tie.
            edges[min(u, v), max(u, v)] = (int(rng.integers(0, levels + 1, count).sum()) / 1024, count)
    graph = make_graph(edges, nodes)
    before = graph.sums.copy()
    history = agglomerate(graph, stop=0.0005)
    expected = reference_agglomeration(graph, stop=0.0005)
    assert [tuple(merge) for merge in history.merges.tolist()] == [merge[:2] for merge in expected]
    np.testing.assert_allclose(history.scores, [merge[2] for merge in expected])
    assert np.all(np.diff(history.scores) <= 0)
    np.testing.assert_array_equal(graph.sums, before)


def test_a_hub_with_thousands_of_neighbours_is_merged_right():
    rng = np.random.default_rng(0)
    edges = {(1, other): (float(rng.integers(1, 1024)) / 1024, 1) for other in range(2, 3000)}
    edges |= {(other, other + 1): (float(rng.integers(1, 1024)) / 1024, 1) for other in range(2, 2999)}
    graph = make_graph(edges, 2999)
    history = agglomerate(graph)
    assert len(history) == 2998
    assert np.all(history.lookup_at(0)[1:] == 1)


def test_the_names_of_fragments_do_not_matter(random_affinities):
    affinities = random_affinities(5, shape=(6, 9, 11))
    fragments = fragments_watershed(affinities, NEAREST)
    renamed = np.append(0, np.random.default_rng(1).permutation(int(fragments.max())) + 1)[fragments]
    for threshold in (0.7, 0.55):
        one = agglomerate(region_graph(affinities, NEAREST, fragments)).labels_at(threshold, fragments)
        other = agglomerate(region_graph(affinities, NEAREST, renamed)).labels_at(threshold, renamed)
        assert 1 < one.max() < fragments.max()
        np.testing.assert_array_equal(partition(one), partition(other))


@pytest.mark.parametrize("seed", range(4))
def test_waterz_agrees(random_affinities, seed):
    waterz = pytest.importorskip("waterz", reason="waterz has wheels for Python 3.11 and later only")
    affinities = random_affinities(seed, shape=(8, 17, 19))
    fragments = fragments_watershed(affinities, NEAREST, low=0.3, high=0.995)
    assert (fragments == 0).any() == (fragments.min() == 0)
    history = agglomerate(region_graph(affinities, NEAREST, fragments))
    thresholds = [0.8, 0.7, 0.6, 0.5, 0.45, 0.2]
    # waterz scores 1 - mean, so its thresholds rise as ours fall; it works in the array that it is given.
    theirs = waterz.agglomerate(
        affinities, [1 - threshold for threshold in thresholds], fragments=fragments.astype(np.uint64)
    )
    counts = []
    for threshold, segments in zip(thresholds, theirs, strict=True):
        ours = history.labels_at(threshold, fragments)
        np.testing.assert_array_equal(partition(ours), partition(segments))
        counts.append(int(ours.max()))
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) >= 4


def test_waterz_agrees_on_tissue(bodies, predicted):
    waterz = pytest.importorskip("waterz", reason="waterz has wheels for Python 3.11 and later only")
    affinities = predicted(bodies)
    fragments = fragments_watershed(affinities, NEAREST)
    history = agglomerate(region_graph(affinities, NEAREST, fragments))
    thresholds = [0.9, 0.7, 0.5, 0.3]
    theirs = waterz.agglomerate(affinities, [1 - t for t in thresholds], fragments=fragments.astype(np.uint64))
    for threshold, segments in zip(thresholds, theirs, strict=True):
        ours = history.labels_at(threshold, fragments)
        assert sum(variation_of_information(segments.astype(np.int64), ours, ignore_label=None)) < 1e-6


def test_a_lookup_holds_the_smallest_fragment_of_each_segment():
    history = MergeHistory(np.array([[2, 4], [1, 2]]), np.array([0.9, 0.4]), max_fragment=5)
    assert history.lookup_at(0.95).tolist() == [0, 1, 2, 3, 4, 5]
    assert history.lookup_at(0.9).tolist() == [0, 1, 2, 3, 2, 5]
    assert history.lookup_at(0.4).tolist() == [0, 1, 1, 3, 1, 5]
    assert len(history) == 2


def test_labels_are_numbered_from_one_in_the_smallest_type():
    history = MergeHistory(np.array([[2, 9]]), np.array([0.5]), max_fragment=300)
    fragments = np.array([[[300, 9, 0, 2, 2, 7]]])
    labels = history.labels_at(0.5, fragments)
    assert labels.tolist() == [[[3, 1, 0, 1, 1, 2]]]
    assert labels.dtype == np.uint8
    assert history.labels_at(0.5, fragments, min_size_voxels=2).tolist() == [[[0, 1, 0, 1, 1, 0]]]
    assert fragments.tolist() == [[[300, 9, 0, 2, 2, 7]]]


def test_a_history_is_not_asked_for_what_it_does_not_know():
    history = MergeHistory(np.array([[1, 2]]), np.array([0.5]), max_fragment=2, stopped_at=0.4)
    with pytest.raises(InputError, match=r"must not lie below 0.4, where agglomeration stopped, got 0.3"):
        history.lookup_at(0.3)
    with pytest.raises(InputError, match=r"must not exceed 2, the history's last, got 3"):
        history.labels_at(0.5, np.full((1, 1, 2), 3))
