"""What must not merge, what merges by its size, and what fragments that do not touch have to say."""

from __future__ import annotations

import dataclasses
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_agglomeration import graph_of, levels_of_edges, merges_of, reference_agglomeration
from sectome.checks import InputError
from sectome.neighbourhoods import ISOTROPIC, NEAREST
from sectome.postprocess import (
    RegionGraph,
    absorb_small,
    affinities_to_history,
    affinities_to_labels,
    agglomerate,
    fragments_watershed,
    mutex_watershed,
    region_graph,
)
from sectome.postprocess.compact_labels import count_voxels
from sectome.postprocess.contract import contract

SIZE_NM = (30.0, 6.0, 8.0)


def draw_levels(rng, nodes):
    """Random edges with random affinities of few values."""
    pairs = {
        (min(pair), max(pair)) for pair in rng.integers(1, nodes + 1, (3 * nodes, 2)).tolist() if len(set(pair)) > 1
    }
    pairs.add((1, nodes))
    return {pair: (85 * rng.integers(0, 4, int(rng.integers(1, 5)))).tolist() for pair in sorted(pairs)}


def draw_pairs(rng, nodes, count):
    return [tuple(sorted(rng.choice(np.arange(1, nodes + 1), 2, replace=False).tolist())) for _ in range(count)]


# Pairs of fragments to be kept apart.


def test_a_chain_is_cut_at_its_weakest_link_left():
    graph = graph_of({(1, 2): [250], (2, 3): [200], (3, 4): [240]})
    assert agglomerate(graph, apart=[(1, 4)]).merges.tolist() == [[1, 2], [3, 4]]
    assert agglomerate(graph, apart=[(2, 1)]).merges.tolist() == [[3, 4], [2, 3]]


def test_a_pair_without_an_edge_and_a_pair_given_twice_are_kept_apart_as_well():
    graph = graph_of({(1, 2): [250], (2, 3): [200], (3, 4): [150]})
    expected = [[1, 2], [3, 4]]
    for apart in ([(1, 3)], [(1, 3), (3, 1), (1, 3)], [(1, 3), (2, 3)], np.array([[3, 1]])):
        assert agglomerate(graph, apart=apart).merges.tolist() == expected


def test_two_pairs_of_the_same_segments_are_one_constraint():
    graph = graph_of({(1, 2): [250], (3, 4): [240], (1, 3): [200], (2, 4): [200]})
    assert agglomerate(graph, apart=[(1, 3), (2, 4)]).merges.tolist() == [[1, 2], [3, 4]]


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    scoring=st.sampled_from(["mean", "quantile_50", "max_2"]),
    nodes=st.sampled_from([4, 12, 25]),
    large_voxels=st.sampled_from([None, 1, 8, 20]),
    touching=st.sampled_from([0.6, 1.0]),
)
def test_constraints_and_edges_that_do_not_touch_agree_with_the_twin(seed, scoring, nodes, large_voxels, touching):
    rng = np.random.default_rng(seed)
    levels, apart = draw_levels(rng, nodes), draw_pairs(rng, nodes, seed % 4)
    sizes = rng.integers(1, 10, nodes + 1)
    far = {pair for pair in levels if rng.random() > touching}
    history = agglomerate(graph_of(levels, far), scoring=scoring, apart=apart, sizes=sizes, large_voxels=large_voxels)
    assert merges_of(history) == reference_agglomeration(
        levels,
        scoring,
        touching=set(levels) - far,
        apart=apart,
        sizes=sizes.tolist(),
        large_voxels=large_voxels,
    )


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), scoring=st.sampled_from(["mean", "quantile_75", "max_3"]))
def test_no_pair_ever_shares_a_segment_and_pairs_that_never_met_change_nothing(random_affinities, seed, scoring):
    affinities = random_affinities(seed, channels=5)
    offsets = (*NEAREST, (0, -3, 0), (0, 0, -4))
    fragments = fragments_watershed(affinities, offsets, high=1.0)
    graph = region_graph(affinities, offsets, fragments, long_range="all", keep_levels=True)
    free = agglomerate(graph, scoring=scoring, stop=0.45)
    apart = draw_pairs(np.random.default_rng(seed), graph.max_fragment, 6)
    held = agglomerate(graph, scoring=scoring, apart=apart)
    for threshold in np.unique(held.scores):
        lookup = held.lookup_at(threshold)
        assert all(lookup[u] != lookup[v] for u, v in apart)
    lookup = free.lookup_at(0.45)
    strangers = [(u, v) for u, v in apart if lookup[u] != lookup[v]]
    assert merges_of(agglomerate(graph, scoring=scoring, stop=0.45, apart=strangers)) == merges_of(free)


@pytest.mark.parametrize(
    ("apart", "sentence"),
    [
        ([(1, 1)], r"pairs of two different fragments of 1\.\.3, got \(1, 1\)"),
        ([(0, 1)], r"got \(0, 1\)"),
        ([(2, 4)], r"got \(2, 4\)"),
        ([(1, 2, 3), (1, 2, 3)], r"apart must hold pairs of fragments, got shape \(2, 3\)"),
        ([1, 2], r"apart must hold pairs of fragments, got shape \(2,\)"),
    ],
)
def test_what_is_no_pair_of_fragments_is_refused(apart, sentence):
    with pytest.raises(InputError, match=sentence):
        agglomerate(graph_of({(1, 2): [9], (2, 3): [9]}), apart=apart)


def test_more_edges_than_31_bits_hold_are_refused():
    class Endless(RegionGraph):
        def __len__(self):
            return 2**30

    graph = graph_of({(1, 2): [9]})
    fields = {field.name: getattr(graph, field.name) for field in dataclasses.fields(graph)}
    with pytest.raises(InputError, match=r"the region graph must have fewer than 2\*\*30 edges, got 1073741824"):
        agglomerate(Endless(**fields))


# Pairs of voxels to be kept apart.


@pytest.mark.parametrize("fragments", ["distance", "watershed"])
@pytest.mark.parametrize("method", ["mean", "quantile_50", "max_10", "mutex"])
def test_voxels_are_kept_apart_that_were_one(bodies, predicted, method, fragments):
    affinities = predicted(bodies, offsets=ISOTROPIC)
    options = {"method": method, "fragments": fragments, "voxel_size_nm": SIZE_NM, "threshold": 0.2}
    free = affinities_to_labels(affinities, ISOTROPIC, **options)
    pieces, _ = affinities_to_history(affinities, ISOTROPIC, fragments=fragments, voxel_size_nm=SIZE_NM)
    rng, apart = np.random.default_rng(0), []
    while len(apart) < 3:
        one, other = (tuple(rng.integers(0, bodies.shape).tolist()) for _ in range(2))
        if free[one] == free[other] != 0 and pieces[one] != pieces[other] and 0 not in (pieces[one], pieces[other]):
            apart.append((one, other))
    held = affinities_to_labels(affinities, ISOTROPIC, apart=apart, **options)
    assert all(held[one] != held[other] for one, other in apart)
    if method != "mutex":
        np.testing.assert_array_equal(held > 0, free > 0)
        _, history = affinities_to_history(affinities, ISOTROPIC, apart=apart, **options)
        np.testing.assert_array_equal(history.labels_at(0.2, pieces), held)


def test_the_mutex_watershed_is_cut_where_it_is_weakest():
    affinities = np.ones((4, 1, 1, 6), np.float32)
    affinities[2, 0, 0, 4] = 0.9
    offsets = (*NEAREST, (0, 0, -5))
    apart = [((0, 0, 0), (0, 0, 5))]
    assert mutex_watershed(affinities, offsets).tolist() == [[[1] * 6]]
    assert mutex_watershed(affinities, offsets, apart=apart).tolist() == [[[1, 1, 1, 1, 2, 2]]]
    assert mutex_watershed(affinities, offsets, apart=apart * 2).tolist() == [[[1, 1, 1, 1, 2, 2]]]


def test_two_voxels_of_one_fragment_cannot_be_kept_apart():
    affinities = np.ones((3, 1, 1, 6), np.float32)
    apart = [((0, 0, 0), (0, 0, 5))]
    for fragments in ("distance", "watershed"):
        with pytest.raises(
            InputError, match=r"voxels \(0, 0, 0\) and \(0, 0, 5\) to be kept apart must lie in two frag"
        ):
            affinities_to_labels(affinities, NEAREST, fragments=fragments, apart=apart)


@pytest.mark.parametrize("method", ["mean", "quantile_50", "mutex"])
def test_a_voxel_of_the_background_is_apart_already(bodies, predicted, method):
    affinities = predicted(bodies, offsets=ISOTROPIC)
    affinities[:, 3:6, 10:20, 10:20] = 0
    options = {"method": method, "foreground_threshold": 0.01}
    free = affinities_to_labels(affinities, ISOTROPIC, **options)
    assert free[4, 15, 15] == 0
    apart = [((4, 15, 15), (0, 0, 0)), ((4, 15, 15), (4, 16, 16))]
    np.testing.assert_array_equal(affinities_to_labels(affinities, ISOTROPIC, apart=apart, **options), free)


@pytest.mark.parametrize("method", ["mean", "mutex"])
@pytest.mark.parametrize(
    ("apart", "sentence"),
    [
        ([((0, 0, 0), (0, 0, 6))], r"must lie in the volume of shape \(1, 2, 6\), got \(0, 0, 6\)"),
        ([((0, -1, 0), (0, 0, 1))], r"got \(0, -1, 0\)"),
        ([((0, 1, 2), (0, 1, 2))], r"voxels to be kept apart must differ, got \(0, 1, 2\) twice"),
        ([((0, 0), (0, 1))], "must be pairs of three whole numbers each, got"),
        ([((0, 0, 0), (0, 1))], "must be pairs of three whole numbers each, got"),
        ([(0, 0, 0, 0, 0, 1)], "must be pairs of three whole numbers each, got"),
        ([((0, 0, 0.5), (0, 0, 1))], "must be pairs of three whole numbers each, got"),
    ],
)
def test_what_is_no_pair_of_voxels_is_refused(method, apart, sentence):
    affinities = np.ones((len(ISOTROPIC), 1, 2, 6), np.float32)
    with pytest.raises(InputError, match=sentence):
        affinities_to_labels(affinities, ISOTROPIC, method=method, apart=apart)
    with pytest.raises(InputError, match=sentence):
        mutex_watershed(affinities, ISOTROPIC, apart=apart)


def test_a_pair_that_can_not_be_is_refused_before_fragments_are_grown(monkeypatch):
    def grow(*_):
        raise AssertionError("fragments were grown")

    monkeypatch.setattr(import_module("sectome.postprocess.affinities_to_labels"), "_fragments", grow)
    with pytest.raises(InputError, match=r"got \(0, 0, 6\)"):
        affinities_to_labels(np.ones((3, 1, 2, 6), np.float32), NEAREST, apart=[((0, 0, 0), (0, 0, 6))])


# Sizes.


def test_two_large_segments_never_merge_and_a_small_one_grows_large():
    graph = graph_of({(1, 2): [250], (2, 3): [200], (3, 4): [150], (1, 4): [100]})
    sizes = [0, 6, 4, 5, 1]
    assert agglomerate(graph, sizes=sizes, large_voxels=6).merges.tolist() == [[1, 2], [1, 3], [1, 4]]
    assert agglomerate(graph, sizes=sizes, large_voxels=5).merges.tolist() == [[1, 2], [3, 4]]
    assert agglomerate(graph, sizes=sizes, large_voxels=1).merges.tolist() == []


@pytest.mark.parametrize(
    ("sizes", "large_voxels", "sentence"),
    [
        (None, 5, "must be 1 or more and come with the sizes of 4 ids, got 5 and none"),
        ([0, 1, 1], 5, "sizes of 4 ids, got 5 and 3"),
        ([0, 1, 1, 1], 0, "got 0 and 4"),
    ],
)
def test_large_segments_need_a_number_and_sizes(sizes, large_voxels, sentence):
    with pytest.raises(InputError, match=sentence):
        agglomerate(graph_of({(1, 2): [9], (2, 3): [9]}), sizes=sizes, large_voxels=large_voxels)


def test_small_segments_join_the_neighbour_with_the_greatest_score():
    graph = graph_of({(1, 2): [100], (2, 3): [120], (3, 4): [20], (4, 5): [10]})
    lookup = np.arange(6)
    sizes = np.array([0, 9, 2, 9, 2, 9])

    def absorbed(small_voxels, stop=0.0, apart=()):
        return absorb_small(graph, lookup, sizes, small_voxels, stop=stop, apart=apart).tolist()

    assert absorbed(3) == [0, 1, 2, 2, 2, 5]
    assert absorbed(3, stop=0.1) == [0, 1, 2, 2, 4, 5]
    assert absorbed(3, apart=[(2, 3)]) == [0, 1, 1, 3, 3, 5]
    assert absorbed(2) == [0, 1, 2, 3, 4, 5]
    assert absorbed(10) == [0, 1, 1, 1, 1, 1]
    assert lookup.tolist() == [0, 1, 2, 3, 4, 5]


def test_what_has_grown_to_the_size_stays():
    graph = graph_of({(1, 2): [200], (2, 3): [150], (3, 4): [100]})
    sizes = np.array([0, 2, 2, 9, 9])
    assert absorb_small(graph, np.arange(5), sizes, 4).tolist() == [0, 1, 1, 3, 4]
    assert absorb_small(graph, np.arange(5), sizes, 5).tolist() == [0, 1, 1, 1, 4]


def test_small_segments_of_a_volume_are_absorbed_after_all_merges(bodies, predicted):
    affinities = predicted(bodies)
    options = {"voxel_size_nm": SIZE_NM, "threshold": 0.7}
    plain = affinities_to_labels(affinities, NEAREST, **options)
    merged = affinities_to_labels(affinities, NEAREST, small_voxels=500, small_threshold=0.0, **options)
    assert np.bincount(plain.ravel())[1:].min() < 500 <= np.bincount(merged.ravel())[1:].min()
    # Each plain segment lies in one merged one, and two that were large stay two.
    pairs = np.unique(np.stack([plain.ravel(), merged.ravel()]), axis=1)
    assert len(pairs[0]) == plain.max()
    large = np.flatnonzero(np.bincount(plain.ravel()) >= 500)
    assert len(set(pairs[1][large - 1].tolist())) == len(large)
    never = affinities_to_labels(affinities, NEAREST, small_voxels=500, small_threshold=1.0, **options)
    np.testing.assert_array_equal(never, plain)


@pytest.mark.parametrize("long_range", ["no", "all"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_contracted_graph_is_that_of_the_merged_labels(random_affinities, long_range, dtype):
    affinities = random_affinities(0, channels=5)
    affinities = (affinities * 255).astype(np.uint8) if dtype == np.uint8 else affinities
    offsets = (*NEAREST, (0, -3, 0), (0, 2, -4))
    fragments = fragments_watershed(affinities, offsets, low=0.5, high=0.99)
    options = {"long_range": long_range, "keep_levels": True}
    graph = region_graph(affinities, offsets, fragments, **options)
    lookup = agglomerate(graph).lookup_at(0.5)
    assert 5 < len(np.unique(lookup)) < len(lookup)
    got, expected = contract(graph, lookup)[0], region_graph(affinities, offsets, lookup[fragments], **options)
    for name in ("edges", "sums", "counts", "touching", "levels"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
    assert got.unit == expected.unit


def test_a_contracted_graph_of_one_segment_is_empty():
    graph = graph_of({(1, 2): [3, 4], (2, 3): [5]})
    got = contract(graph, np.array([0, 1, 1, 1]))[0]
    assert len(got) == 0
    assert got.edges.shape == (0, 2)
    assert got.levels.size == 0


def test_sizes_of_a_volume_are_counted(bodies):
    np.testing.assert_array_equal(count_voxels(bodies), np.bincount(bodies.ravel()))


# Fragments that do not touch.


def test_an_edge_of_fragments_that_do_not_touch_speaks_once_it_is_parallel():
    levels = {(1, 2): [200], (2, 3): [150], (1, 3): [50]}
    assert merges_of(agglomerate(graph_of(levels, {(1, 3)}))) == [(1, 2, 200 / 255), (1, 3, 100 / 255)]  # repels
    levels = {(1, 2): [200], (2, 3): [90], (1, 3): [250]}
    assert merges_of(agglomerate(graph_of(levels, {(1, 3)}))) == [(1, 2, 200 / 255), (1, 3, 170 / 255)]  # attracts
    alone = graph_of({(1, 2): [200], (2, 3): [0], (1, 4): [255]}, {(1, 4)})
    assert agglomerate(alone).merges.tolist() == [[1, 2], [1, 3]]


def test_an_offset_over_a_third_fragment_attracts_and_repels_in_a_volume():
    # Fragments 1 1 2 2 3 3; offset -4 sees 1 and 3.
    affinities = np.zeros((4, 1, 1, 6), np.uint8)
    affinities[2, 0, 0, [2, 4]] = [200, 100]
    fragments = np.array([[[1, 1, 2, 2, 3, 3]]])
    offsets = (*NEAREST, (0, 0, -4))
    for far, last in ((255, (100 + 2 * 255) / 3), (10, (100 + 2 * 10) / 3)):
        affinities[3, 0, 0, 4:] = far
        graph = region_graph(affinities, offsets, fragments, long_range="all")
        assert graph.edges.tolist() == [[1, 2], [1, 3], [2, 3]]
        assert graph.touching.tolist() == [True, False, True]
        history = agglomerate(graph)
        assert history.merges.tolist() == [[1, 2], [1, 3]]
        assert history.scores.tolist() == pytest.approx([200 / 255, min(200, last) / 255])
        touching = agglomerate(region_graph(affinities, offsets, fragments))
        assert touching.scores.tolist() == pytest.approx([200 / 255, 100 / 255])


def test_fragments_that_only_a_long_offset_joins_have_an_edge_and_never_merge():
    affinities = np.full((4, 1, 1, 3), 255, np.uint8)
    fragments = np.array([[[1, 0, 2]]])
    offsets = (*NEAREST, (0, 0, -2))
    graph = region_graph(affinities, offsets, fragments, long_range="all")
    assert (graph.edges.tolist(), graph.counts.tolist(), graph.touching.tolist()) == ([[1, 2]], [1], [False])
    assert len(agglomerate(graph)) == 0
    assert len(region_graph(affinities, offsets, fragments)) == 0


@pytest.mark.parametrize("scoring", ["mean", "quantile_50"])
def test_all_offsets_of_a_volume_agree_with_the_twin(random_affinities, scoring):
    affinities = (random_affinities(1, shape=(3, 6, 7), channels=5) * 255).astype(np.uint8)
    offsets = (*NEAREST, (0, -3, 0), (0, 2, -4))
    fragments = fragments_watershed(affinities, offsets, high=1.0)
    graph = region_graph(affinities, offsets, fragments, long_range="all", keep_levels=True)
    assert not graph.touching.all()
    levels = levels_of_edges(graph)
    near = {tuple(pair) for pair in region_graph(affinities, NEAREST + offsets[3:], fragments).edges.tolist()}
    assert merges_of(agglomerate(graph, scoring=scoring)) == reference_agglomeration(levels, scoring, touching=near)
