"""The region graph against a dictionary, and drawn by hand."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectome.checks import InputError
from sectome.neighbourhoods import LONG_RANGE, NEAREST
from sectome.postprocess import fragments_watershed, region_graph
from sectome.postprocess.pair_sums import sum_up

MIXED = ((0, 0, -3), (0, -1, 0), (-1, 0, 0), (0, 2, 1), (0, 0, -1))


def reference_region_graph(affinities, offsets, fragments, long_range="touching"):
    """Voxel by voxel: {(u, v): (sum, count)}."""
    edges = defaultdict(lambda: (0.0, 0))

    def visit(k, offset):
        for p in itertools.product(*map(range, fragments.shape)):
            q = tuple(a + b for a, b in zip(p, offset, strict=True))
            if not all(0 <= a < n for a, n in zip(q, fragments.shape, strict=True)):
                continue
            u, v = sorted((int(fragments[p]), int(fragments[q])))
            if u not in (0, v) and (offset in NEAREST or (u, v) in edges or long_range == "all"):
                total, count = edges[u, v]
                edges[u, v] = total + float(affinities[(k, *p)]), count + 1

    for k, offset in enumerate(offsets):
        if offset in NEAREST:
            visit(k, offset)
    for k, offset in enumerate(offsets):
        if long_range != "no" and offset not in NEAREST:
            visit(k, offset)
    return dict(edges)


def as_dictionary(graph):
    return {
        tuple(edge): (total, count)
        for edge, total, count in zip(
            graph.edges.tolist(), (graph.sums / graph.unit).tolist(), graph.counts.tolist(), strict=True
        )
    }


def test_a_graph_drawn_by_hand():
    # Two rows: fragments 1 1 2 above 3 0 2.
    fragments = np.array([[[1, 1, 2], [3, 0, 2]]])
    affinities = np.zeros((3, 1, 2, 3), np.float32)
    affinities[1, 0, 1] = [0.25, 0.5, 0.75]
    affinities[2, 0, 0] = [0.9, 0.9, 0.125]
    graph = region_graph(affinities, NEAREST, fragments)
    assert as_dictionary(graph) == {(1, 2): (0.125, 1), (1, 3): (0.25, 1)}
    assert graph.max_fragment == 3
    assert len(graph) == 2
    assert graph.means.tolist() == [0.125, 0.25]


def test_a_long_offset_adds_to_fragments_that_touch_and_makes_no_new_edge():
    fragments = np.array([[[1, 1, 2, 3]]])
    affinities = np.zeros((4, 1, 1, 4), np.float32)
    affinities[2, 0, 0] = [0, 0, 0.5, 0.25]
    # Offset -2: voxel 2 with 0 (2-1, touch), voxel 3 with 1 (3-1, apart).
    affinities[3, 0, 0] = [0, 0, 0.25, 1]
    offsets = [*NEAREST, (0, 0, -2)]
    assert as_dictionary(region_graph(affinities, offsets, fragments)) == {(1, 2): (0.75, 2), (2, 3): (0.25, 1)}
    nearest_only = region_graph(affinities, offsets, fragments, long_range="no")
    assert as_dictionary(nearest_only) == {(1, 2): (0.5, 1), (2, 3): (0.25, 1)}


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    long_range=st.sampled_from(["no", "touching", "all"]),
    dtype=st.sampled_from([np.uint8, np.int64, np.uint32]),
)
def test_the_graph_agrees_with_the_reference(random_affinities, seed, long_range, dtype):
    affinities = random_affinities(seed, channels=5, levels=64)
    fragments = np.random.default_rng(seed).integers(0, 9, affinities.shape[1:]).astype(dtype)
    fragments[1:3, 2:5] = 4
    before = fragments.copy()
    graph = region_graph(affinities, MIXED, fragments, long_range=long_range)
    assert as_dictionary(graph) == reference_region_graph(affinities, MIXED, fragments, long_range)
    assert graph.edges.tolist() == sorted(graph.edges.tolist())
    assert np.all(graph.edges[:, 0] < graph.edges[:, 1])
    np.testing.assert_array_equal(fragments, before)


def test_the_table_grows_past_its_first_size(random_affinities):
    affinities = random_affinities(0, shape=(14, 15, 16), levels=64)
    fragments = np.random.default_rng(0).permutation(14 * 15 * 16).reshape(14, 15, 16)
    graph = region_graph(affinities, NEAREST, fragments)
    assert len(graph) > 9000
    assert as_dictionary(graph) == reference_region_graph(affinities, NEAREST, fragments)


@pytest.mark.parametrize("dx", [-7, -5, 5, 7])
@pytest.mark.parametrize("long_range", ["touching", "all"])
def test_an_offset_from_the_width_to_twice_the_width_joins_nothing(random_affinities, long_range, dx):
    affinities = random_affinities(1, shape=(3, 6, 4), channels=4, levels=64)
    fragments = np.random.default_rng(1).integers(0, 5, affinities.shape[1:])
    graph = region_graph(affinities, (*NEAREST, (0, 0, dx)), fragments, long_range=long_range, keep_levels=True)
    nearest = region_graph(affinities[:3], NEAREST, fragments, keep_levels=True)
    assert as_dictionary(graph) == as_dictionary(nearest)
    np.testing.assert_array_equal(graph.levels, nearest.levels)


@pytest.mark.timeout(30)
def test_a_fragment_may_have_a_great_many_neighbours():
    others = np.arange(2, 800_002)
    part = np.stack([(1 << 32) | others, others, np.ones_like(others)], axis=1)
    found = sum_up([part[::2].copy(), part[1::2].copy(), part[::3].copy()], 800_002)
    np.testing.assert_array_equal(found[:, 0], part[:, 0])
    np.testing.assert_array_equal(found[:, 2], 1 + (others % 3 == 2))
    np.testing.assert_array_equal(found[:, 1], others * found[:, 2])


def test_bytes_and_floats_give_the_same_graph(random_affinities):
    bytes_ = (random_affinities(3) * 255).astype(np.uint8)
    fragments = fragments_watershed(bytes_, NEAREST)
    graph = region_graph(bytes_, NEAREST, fragments)
    same = region_graph((bytes_ / 255).astype(np.float32), NEAREST, fragments)
    np.testing.assert_array_equal(graph.edges, same.edges)
    np.testing.assert_array_equal(graph.counts, same.counts)
    np.testing.assert_allclose(graph.means, same.means, rtol=1e-6)


def test_one_fragment_has_no_edges():
    graph = region_graph(np.ones((3, 2, 3, 4), np.float32), NEAREST, np.full((2, 3, 4), 7))
    assert len(graph) == 0
    assert graph.edges.shape == (0, 2)
    assert graph.max_fragment == 7


@pytest.mark.parametrize(
    ("fragments", "message"),
    [
        (np.ones((2, 2, 3), int), r"the affinities' shape \(2, 2, 2\), got \(2, 2, 3\)"),
        (np.ones((2, 2, 2)), "integers with axes"),
        (np.full((2, 2, 2), -1), "got -1..-1"),
        (np.full((2, 2, 2), 2**31), "0..2147483647"),
    ],
)
def test_fragments_that_do_not_fit_are_refused(fragments, message):
    with pytest.raises(InputError, match=message):
        region_graph(np.zeros((3, 2, 2, 2), np.float32), NEAREST, fragments)


def test_a_long_offset_alone_is_refused():
    with pytest.raises(InputError, match="nearest neighbour"):
        region_graph(np.zeros((9, 2, 2, 2), np.float32), LONG_RANGE[3:], np.ones((2, 2, 2), int))
