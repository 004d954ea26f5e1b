"""The affinity watershed against a few lines of Python, and drawn by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectome.affinities import labels_to_affinities
from sectome.checks import InputError
from sectome.metrics import adapted_rand_error
from sectome.neighbourhoods import LONG_RANGE, NEAREST
from sectome.postprocess import fragments_watershed

ORDER = [(0, -1), (1, -1), (2, -1), (0, 1), (1, 1), (2, 1)]


def reference_watershed(affinities, low, high):
    """Ways up, then plateaus step by step, then every strong edge, as a graph; then a flood from each voxel in turn."""
    shape = affinities.shape[1:]
    links = {p: set() for p in itertools.product(*map(range, shape))}

    def edge(p, axis, sign):
        q = tuple(a + sign * (axis == d) for d, a in enumerate(p))
        return q, (affinities[(axis, *max(p, q))] if q in links else -1)

    def link(p, q):
        links[p].add(q)
        links[q].add(p)

    edges = {p: [edge(p, axis, sign) for axis, sign in ORDER] for p in links}
    top = {p: max(affinity for _, affinity in edges[p]) for p in links}
    ways = {p: [q for q, affinity in edges[p] if affinity == top[p] > low] for p in links}
    waiting = set()
    for p in links:
        for q, affinity in edges[p]:
            if affinity >= high:
                link(p, q)
        higher = [q for q in ways[p] if top[q] > top[p]]
        if top[p] < high and higher:
            link(p, higher[0])
        elif top[p] < high and ways[p]:
            waiting.add(p)
    first, step = True, []
    while waiting:
        if first:
            found = {p: [q for q in ways[p] if q not in waiting and top[q] == top[p]] for p in sorted(waiting)}
            pairs = [(p, known[0]) for p, known in found.items() if known]
        else:
            pairs = [(p, q) for q in step for p in ways[q] if p in waiting and top[p] == top[q]]
        step = []
        for p, q in pairs:
            if p in waiting:
                waiting.remove(p)
                link(p, q)
                step.append(p)
        first = False
        if not step and waiting:
            step = [min(waiting)]
            waiting.remove(step[0])
    labels, count = np.zeros(shape, np.uint32), 0
    for p, neighbours in links.items():
        if neighbours and labels[p] == 0:
            count += 1
            stack = [p]
            while stack:
                q = stack.pop()
                if labels[q] == 0:
                    labels[q] = count
                    stack.extend(links[q])
    return labels


def test_a_valley_parts_two_basins():
    affinities = np.zeros((3, 1, 1, 7), np.float32)
    affinities[2, 0, 0] = [0, 0.5, 0.9, 0.2, 0.3, 0.8, 0.6]
    assert fragments_watershed(affinities, NEAREST).tolist() == [[[1, 1, 1, 2, 2, 2, 2]]]


def test_an_edge_at_the_high_threshold_joins_across_a_valley():
    affinities = np.zeros((3, 1, 1, 5), np.float32)
    affinities[2, 0, 0] = [0, 0.9, 0.7, 0.8, 0.1]
    assert fragments_watershed(affinities, NEAREST).tolist() == [[[1, 1, 2, 2, 2]]]
    assert fragments_watershed(affinities, NEAREST, high=0.7).tolist() == [[[1, 1, 1, 1, 1]]]


def test_a_voxel_without_an_edge_above_the_low_threshold_is_background():
    affinities = np.zeros((3, 1, 1, 5), np.float32)
    affinities[2, 0, 0] = [0, 0.9, 0.2, 0.1, 0.1]
    assert fragments_watershed(affinities, NEAREST, low=0.2).tolist() == [[[1, 1, 0, 0, 0]]]
    assert fragments_watershed(affinities, NEAREST, low=0.15).tolist() == [[[1, 1, 1, 0, 0]]]


def test_an_affinity_joins_its_voxel_with_the_one_before():
    for axis in range(3):
        affinities = np.zeros((3, 2, 2, 2), np.float32)
        affinities[axis, 1, 1, 1] = 1
        before = [1, 1, 1]
        before[axis] = 0
        expected = np.zeros((2, 2, 2))
        expected[1, 1, 1] = expected[tuple(before)] = 1
        np.testing.assert_array_equal(fragments_watershed(affinities, NEAREST), expected)


def test_affinities_that_leave_the_volume_are_not_read(random_affinities):
    affinities = random_affinities(0)
    expected = fragments_watershed(affinities, NEAREST)
    affinities[0, 0], affinities[1, :, 0], affinities[2, :, :, 0] = 1, 1, 1
    np.testing.assert_array_equal(fragments_watershed(affinities, NEAREST), expected)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), levels=st.sampled_from([None, 4]), low=st.sampled_from([0.0, 0.25]))
def test_the_watershed_agrees_with_the_reference(random_affinities, seed, levels, low):
    affinities = random_affinities(seed, levels=levels)
    before = affinities.copy()
    got = fragments_watershed(affinities, NEAREST, low=low, high=0.95)
    np.testing.assert_array_equal(got, reference_watershed(affinities, low, 0.95))
    np.testing.assert_array_equal(affinities, before)
    assert got.dtype == np.uint32


def test_bytes_and_floats_give_the_same_fragments(random_affinities):
    bytes_ = (random_affinities(1) * 255).astype(np.uint8)
    floats = (bytes_ / 255).astype(np.float32)
    for high in (0.9, 0.9999):
        np.testing.assert_array_equal(
            fragments_watershed(bytes_, NEAREST, high=high), fragments_watershed(floats, NEAREST, high=high)
        )


def test_the_nearest_channels_are_found_among_others(random_affinities):
    affinities = random_affinities(2, channels=5)
    offsets = [(0, 0, -3), NEAREST[2], NEAREST[0], (0, -3, 0), NEAREST[1]]
    np.testing.assert_array_equal(
        fragments_watershed(affinities, offsets), fragments_watershed(affinities[[2, 4, 1]], NEAREST)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.float16])
def test_true_affinities_give_the_true_bodies(cells, dtype):
    affinities = labels_to_affinities(cells, NEAREST)[0]
    affinities = affinities * np.uint8(255) if dtype == np.uint8 else affinities.astype(dtype)
    fragments = fragments_watershed(affinities, NEAREST)
    assert adapted_rand_error(cells, fragments) < 1e-3
    np.testing.assert_array_equal(fragments == 0, cells == 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"affinities": np.zeros((2, 4, 5), np.float32)}, r"axes \(K, Z, Y, X\), got shape \(2, 4, 5\)"),
        ({"affinities": np.zeros((12, 2, 2, 2), np.float32)}, "must have 3 channels, one per offset, got 12"),
        ({"affinities": np.zeros((3, 0, 2, 2), np.float32)}, "at least one voxel"),
        ({"affinities": np.zeros((3, 2, 2, 2), np.int64)}, "floats in 0..1 or uint8 in 0..255, got int64"),
        ({"affinities": np.full((3, 2, 2, 2), -3.0)}, r"probabilities, not logits\), got values in -3..-3"),
        ({"affinities": np.full((3, 2, 2, 2), np.nan)}, "got values in nan"),
        ({"offsets": [(0, 0, -1), (0, -1, 0), (0, -3, 0)]}, r"nearest neighbour \(-1, 0, 0\)"),
        ({"offsets": LONG_RANGE}, "must have 12 channels, one per offset, got 3"),
        ({"low": 1.5}, "low must lie in 0..1, got 1.5"),
        ({"low": 0.5, "high": 0.4}, "got low 0.5 and high 0.4"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"affinities": np.zeros((3, 2, 2, 2), np.float32), "offsets": NEAREST, **change}
    with pytest.raises(InputError, match=message):
        fragments_watershed(**arguments)


def test_a_plateau_is_divided_between_its_ways_up():
    affinities = np.zeros((3, 1, 1, 8), np.float32)
    affinities[2, 0, 0] = [0, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.8]
    assert fragments_watershed(affinities, NEAREST).tolist() == [[[1, 1, 1, 1, 2, 2, 2, 2]]]


def test_a_plateau_that_nothing_leads_up_from_is_one_fragment():
    affinities = np.zeros((3, 2, 3, 4), np.float32)
    affinities[:] = 0.5
    assert fragments_watershed(affinities, NEAREST).tolist() == np.ones((2, 3, 4)).tolist()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_where_the_thresholds_meet_a_voxel_without_such_an_edge_is_background(random_affinities, dtype):
    affinities = np.zeros((3, 1, 1, 5), dtype)
    affinities[2, 0, 0] = [0, 255, 128, 60, 60] if dtype == np.uint8 else [0, 1, 0.5, 0.2, 0.2]
    middle = 128 / 255 if dtype == np.uint8 else 0.5
    assert fragments_watershed(affinities, NEAREST, low=middle, high=middle).tolist() == [[[1, 1, 1, 0, 0]]]
    noise = (random_affinities(0, levels=8) * 8).astype(dtype)
    scale = 255 if dtype == np.uint8 else 8
    expected = reference_watershed(noise, 6, 6)
    found = fragments_watershed(noise if dtype == np.uint8 else noise / 8, NEAREST, low=6 / scale, high=6 / scale)
    assert (found == 0).any()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_percentiles_that_lie_in_an_empty_background_join_everything(dtype):
    affinities = np.zeros((3, 1, 1, 8), dtype)
    affinities[2, 0, 0, [4, 6]] = 1
    assert fragments_watershed(affinities, NEAREST, low="5%", high="50%").tolist() == [[[1] * 8]]


def test_waterz_finds_as_many_fragments_of_affinities_in_few_levels(random_affinities):
    waterz = pytest.importorskip("waterz", reason="waterz has wheels for Python 3.11 and later only")
    for seed, levels in ((0, None), (1, 20), (2, 4)):
        affinities = random_affinities(seed, shape=(8, 17, 19), levels=levels)
        # At a threshold of 0 it merges nothing that its watershed kept apart, but for scores of exactly 0.
        theirs = next(iter(waterz.agglomerate(affinities.copy(), [0], aff_threshold_low=0, aff_threshold_high=0.999)))
        ours = fragments_watershed(affinities, NEAREST, low=0, high=0.999)
        assert abs(int(ours.max()) - len(np.unique(theirs[theirs > 0]))) <= 2
