"""Fragments from the distance to boundaries: units, sections, background, holes in membranes, and the true control."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sectome.affinities import labels_to_affinities
from sectome.checks import InputError
from sectome.metrics import adapted_rand_error, scores_by_threshold, variation_of_information
from sectome.neighbourhoods import NEAREST
from sectome.postprocess import agglomerate, connected_components, fragments_distance, region_graph
from sectome.postprocess.distance_transform import distance_to_boundary_nm
from sectome.postprocess.mean_affinity import mean_affinity, without_background

SIZE_NM = (30.0, 6.0, 8.0)


def reference_distance_nm(inside, voxel_size_nm, per_section):
    """To the nearest of all boundary voxels, one voxel at a time."""
    distance = np.zeros(inside.shape)
    outside = np.argwhere(~inside)
    for p in np.argwhere(inside):
        others = outside[outside[:, 0] == p[0]] if per_section else outside
        distance[tuple(p)] = np.linalg.norm((others - p) * voxel_size_nm, axis=1).min()
    return distance


def reference_mean_affinity(nearest, per_section):
    shape = nearest.shape[1:]
    means = np.zeros(shape)
    for p in itertools.product(*map(range, shape)):
        edges = []
        for axis in range(1 if per_section else 0, 3):
            if p[axis] > 0:
                edges.append(nearest[(axis, *p)])
            after = tuple(a + (d == axis) for d, a in enumerate(p))
            if after[axis] < shape[axis]:
                edges.append(nearest[(axis, *after)])
        means[p] = np.mean(edges)
    return means


@pytest.mark.parametrize("per_section", [False, True])
def test_the_mean_affinity_agrees_with_the_reference(random_affinities, per_section):
    nearest = random_affinities(0)
    expected = reference_mean_affinity(nearest, per_section)
    np.testing.assert_allclose(mean_affinity(nearest, per_section=per_section), expected, rtol=1e-6)
    bytes_ = (nearest * 255).astype(np.uint8)
    np.testing.assert_allclose(mean_affinity(bytes_, per_section=per_section), expected, atol=1 / 255)


@pytest.mark.parametrize("per_section", [False, True])
def test_the_distance_is_in_nm_along_each_axis(per_section):
    inside = np.random.default_rng(0).random((5, 8, 9)) < 0.9
    got = distance_to_boundary_nm(inside, SIZE_NM, per_section=per_section)
    np.testing.assert_allclose(got, reference_distance_nm(inside, np.array(SIZE_NM), per_section), rtol=1e-6)


def test_edges_of_the_background_are_zero_and_the_input_is_not_touched(random_affinities):
    nearest = random_affinities(0)
    before = nearest.copy()
    foreground = np.random.default_rng(1).random(nearest.shape[1:]) < 0.7
    masked = without_background(nearest, foreground)
    _, known = labels_to_affinities(np.ones(nearest.shape[1:], int), NEAREST, foreground)
    inner = labels_to_affinities(np.ones(nearest.shape[1:], int), NEAREST)[1] == 1
    np.testing.assert_array_equal(masked[inner], (nearest * known)[inner])
    np.testing.assert_array_equal(nearest, before)


@pytest.mark.parametrize("per_section", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_true_affinities_give_the_true_bodies(cells, per_section, dtype):
    affinities = (labels_to_affinities(cells, NEAREST)[0] * np.uint8(255 if dtype == np.uint8 else 1)).astype(dtype)
    before = affinities.copy()
    fragments = fragments_distance(affinities, NEAREST, voxel_size_nm=SIZE_NM, per_section=per_section)
    _, merge = variation_of_information(cells, fragments)
    assert merge == pytest.approx(0, abs=1e-9)
    segments = agglomerate(region_graph(affinities, NEAREST, fragments)).labels_at(0.5, fragments)
    assert adapted_rand_error(cells, segments) < 1e-3
    assert np.all(segments[cells == 0] == 0)
    np.testing.assert_array_equal(affinities, before)


def test_fragments_fill_everything_in_the_order_of_their_first_voxels(bodies, predicted):
    fragments = fragments_distance(predicted(bodies), NEAREST, voxel_size_nm=SIZE_NM)
    _, first = np.unique(fragments, return_index=True)
    assert fragments.min() == 1
    assert len(first) == fragments.max()
    assert np.all(np.diff(first) > 0)


def test_sections_by_themselves_share_no_fragment(bodies, predicted):
    fragments = fragments_distance(predicted(bodies), NEAREST, voxel_size_nm=SIZE_NM, per_section=True)
    sections = [set(np.unique(section).tolist()) for section in fragments]
    for one, other in itertools.combinations(sections, 2):
        assert not one & other


def test_a_hole_in_a_membrane_does_not_merge():
    # Two halves along x; a membrane two voxels thick with a hole of 2 x 2 voxels.
    labels = np.ones((8, 16, 24), int)
    labels[:, :, 12:] = 2
    affinities = np.full((3, *labels.shape), 0.95, np.float32)
    affinities[:, :, :, 11:13] = 0.05
    affinities[:, 3:5, 7:9, 11:13] = 0.95
    fragments = fragments_distance(affinities, NEAREST)
    segments = agglomerate(region_graph(affinities, NEAREST, fragments)).labels_at(0.5, fragments)
    assert adapted_rand_error(labels, segments) < 0.05
    assert adapted_rand_error(labels, connected_components(affinities, NEAREST)) > 0.3


def test_the_foreground_bounds_the_fragments(bodies, predicted):
    foreground = bodies % 3 != 0
    fragments = fragments_distance(predicted(bodies), NEAREST, voxel_size_nm=SIZE_NM, foreground=foreground)
    assert np.all(fragments[~foreground] == 0)
    assert np.mean(fragments[foreground] == 0) < 0.01


def test_more_smoothing_gives_fewer_fragments(bodies, predicted):
    affinities = predicted(bodies)
    counts = [int(fragments_distance(affinities, NEAREST, voxel_size_nm=SIZE_NM, sigma_nm=s).max()) for s in (0, 9, 30)]
    assert counts[0] > counts[1] > counts[2]


def test_predictions_are_decoded_better_than_by_components(bodies, predicted):
    affinities = predicted(bodies)
    fragments = fragments_distance(affinities, NEAREST, voxel_size_nm=SIZE_NM)
    history = agglomerate(region_graph(affinities, NEAREST, fragments))
    best = min(scores_by_threshold(bodies, fragments, history, np.linspace(0.1, 0.9, 17)), key=lambda row: row.voi)
    naive = min(
        sum(variation_of_information(bodies, connected_components(affinities, NEAREST, threshold=threshold)))
        for threshold in np.linspace(0.5, 0.99, 15)
    )
    assert best.voi < 0.8 * naive
    assert best.are < 0.15


def test_a_volume_without_boundary_is_one_fragment_and_without_tissue_none():
    assert np.all(fragments_distance(np.ones((3, 4, 5, 6), np.float32), NEAREST) == 1)
    assert not fragments_distance(np.zeros((3, 4, 5, 6), np.float32), NEAREST).any()


def test_a_boundary_threshold_that_nothing_reaches_is_loud():
    with pytest.warns(UserWarning, match=r"no voxel reaches boundary_threshold 0.85: .* 0.600"):
        fragments = fragments_distance(np.full((3, 4, 5, 6), 0.6, np.float32), NEAREST)
    assert np.all(fragments == 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"voxel_size_nm": (30, 6)}, "voxel_size_nm must be three positive numbers"),
        ({"voxel_size_nm": (30, 6, 0)}, "voxel_size_nm must be three positive numbers"),
        ({"boundary_threshold": 85}, "boundary_threshold must lie in 0..1, got 85"),
        ({"sigma_nm": -1}, "sigma_nm must be 0 or more, got -1"),
        ({"low": -0.1}, "low must lie in 0..1"),
        ({"foreground": np.ones((2, 2, 3))}, r"foreground must have the image's shape \(2, 2, 2\), got \(2, 2, 3\)"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        fragments_distance(np.zeros((3, 2, 2, 2), np.float32), NEAREST, **change)
