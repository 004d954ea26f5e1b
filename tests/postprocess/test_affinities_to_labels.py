"""From affinities to segments, and the small stages beside the road."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from sectome.affinities import labels_to_affinities
from sectome.checks import InputError
from sectome.metrics import adapted_rand_error
from sectome.neighbourhoods import ISOTROPIC, NEAREST
from sectome.postprocess import (
    affinities_to_history,
    affinities_to_labels,
    compact_labels,
    connected_components,
    region_graph,
)
from sectome.postprocess.mean_affinity import mean_affinity

SIZE_NM = (30.0, 6.0, 8.0)
BOTH = pytest.mark.parametrize("fragments", ["distance", "watershed"])


@BOTH
@pytest.mark.parametrize("offsets", [NEAREST, ISOTROPIC])
def test_true_affinities_give_the_true_cells(cells, fragments, offsets):
    affinities = labels_to_affinities(cells, offsets)[0].astype(np.float32)
    segments = affinities_to_labels(affinities, offsets, fragments=fragments, voxel_size_nm=SIZE_NM)
    assert segments.dtype == np.uint8
    assert np.unique(segments).tolist() == list(range(int(segments.max()) + 1))
    assert adapted_rand_error(cells, segments) < 1e-3
    assert np.all(segments[cells == 0] == 0)


@BOTH
def test_predictions_fill_the_volume_and_the_result_is_always_the_same(bodies, predicted, fragments):
    affinities = predicted(bodies)
    before = affinities.copy()
    segments = affinities_to_labels(affinities, NEAREST, fragments=fragments, voxel_size_nm=SIZE_NM, threshold=0.3)
    again = affinities_to_labels(affinities, NEAREST, fragments=fragments, voxel_size_nm=SIZE_NM, threshold=0.3)
    assert segments.min() == 1
    np.testing.assert_array_equal(segments, again)
    np.testing.assert_array_equal(affinities, before)


@BOTH
def test_read_only_affinities_are_enough(bodies, predicted, fragments):
    affinities = predicted(bodies)
    expected = affinities_to_labels(affinities, NEAREST, fragments=fragments, voxel_size_nm=SIZE_NM)
    affinities.setflags(write=False)
    got = affinities_to_labels(affinities, NEAREST, fragments=fragments, voxel_size_nm=SIZE_NM)
    np.testing.assert_array_equal(got, expected)


@BOTH
def test_one_history_holds_every_threshold(bodies, predicted, fragments):
    affinities = predicted(bodies)
    options = {"fragments": fragments, "voxel_size_nm": SIZE_NM}
    pieces, history = affinities_to_history(affinities, NEAREST, **options)
    for threshold in (0.9, 0.5, 0.2):
        alone = affinities_to_labels(affinities, NEAREST, threshold=threshold, **options)
        np.testing.assert_array_equal(history.labels_at(threshold, pieces), alone)


def test_long_offsets_take_part_only_if_they_may(bodies, predicted):
    affinities = predicted(bodies, offsets=ISOTROPIC)
    options = {"voxel_size_nm": SIZE_NM, "threshold": 0.5}
    pieces, _ = affinities_to_history(affinities, ISOTROPIC, voxel_size_nm=SIZE_NM)
    assert (
        region_graph(affinities, ISOTROPIC, pieces).counts.sum()
        > region_graph(affinities, ISOTROPIC, pieces, long_range="no").counts.sum()
    )
    np.testing.assert_array_equal(
        affinities_to_labels(affinities, ISOTROPIC, long_range="no", **options),
        affinities_to_labels(affinities[:3], NEAREST, **options),
    )


def test_voxels_below_the_foreground_threshold_are_background(bodies, predicted):
    affinities = predicted(bodies)
    affinities[:, 3:6, 10:20, 10:20] = 0.001
    filled = affinities_to_labels(affinities, NEAREST, voxel_size_nm=SIZE_NM)
    holed = affinities_to_labels(affinities, NEAREST, voxel_size_nm=SIZE_NM, foreground_threshold=0.01)
    assert filled.all()
    assert not holed[4, 12:18, 12:18].any()
    np.testing.assert_array_equal(holed > 0, mean_affinity(affinities) >= 0.01)


def test_small_segments_become_background(bodies, predicted):
    affinities = predicted(bodies)
    every = affinities_to_labels(affinities, NEAREST, voxel_size_nm=SIZE_NM, threshold=0.9)
    large = affinities_to_labels(affinities, NEAREST, voxel_size_nm=SIZE_NM, threshold=0.9, min_size_voxels=200)
    assert 0 < large.max() < every.max()
    assert np.bincount(large.ravel())[1:].min() >= 200
    np.testing.assert_array_equal(large > 0, np.bincount(every.ravel())[every] >= 200)


def test_edges_that_leave_the_volume_make_no_foreground_of_the_mutex_watershed():
    affinities = np.zeros((4, 2, 3, 4), np.uint8)
    affinities[0, 0] = affinities[1, :, 0] = affinities[2, :, :, 0] = 255
    affinities[2, 1, 2, 3] = 255
    labels = affinities_to_labels(affinities, [*NEAREST, (0, 0, -3)], method="mutex", bias=1.0)
    assert np.argwhere(labels).tolist() == [[1, 2, 2], [1, 2, 3]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "median"}, "method must be mean, quantile_Q .* got 'median'"),
        ({"fragments": "seeds"}, "fragments must be one of 'distance', 'watershed', got 'seeds'"),
        ({"threshold": 50}, "threshold must lie in 0..1, got 50"),
        ({"foreground_threshold": -1}, "foreground_threshold must lie in 0..1, got -1"),
        ({"min_size_voxels": -1}, "min_size_voxels must be a number of at least 0, got -1"),
    ],
)
def test_bad_options_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        affinities_to_labels(np.zeros((3, 2, 2, 2), np.float32), NEAREST, **change)


def test_components_drawn_by_hand():
    affinities = np.zeros((3, 1, 2, 4), np.float32)
    affinities[2, 0] = [[0, 0.5, 0.4, 0.9], [0, 0.1, 0.1, 0.1]]
    affinities[1, 0, 1] = [0.1, 0.6, 0.1, 0.1]
    assert connected_components(affinities, NEAREST).tolist() == [[[1, 1, 2, 2], [0, 1, 0, 0]]]
    assert connected_components(affinities, NEAREST, threshold=0.4).tolist() == [[[1, 1, 1, 1], [0, 1, 0, 0]]]
    assert connected_components(affinities, NEAREST, min_size_voxels=3).tolist() == [[[1, 1, 0, 0], [0, 1, 0, 0]]]


def test_components_of_true_affinities_are_those_of_the_labels():
    labels = np.random.default_rng(0).integers(0, 3, (5, 7, 9))
    components = connected_components(labels_to_affinities(labels, NEAREST)[0] * np.uint8(255), NEAREST)
    for label in (1, 2):
        pieces, _ = ndimage.label(labels == label)
        sizes = np.bincount(pieces.ravel())
        pairs = np.unique(np.stack([pieces[labels == label], components[labels == label]]), axis=1)
        # A voxel by itself has no edge and is background.
        assert {int(a) for a, b in pairs.T if b == 0} == set(np.flatnonzero(sizes == 1).tolist())
        kept = pairs[:, pairs[1] > 0]
        assert len(set(kept[0])) == len(set(kept[1])) == kept.shape[1]


@settings(deadline=None, max_examples=30)
@given(labels=hnp.arrays(np.int64, (2, 3, 4), elements=st.integers(0, 9)), smallest=st.integers(0, 4))
def test_compact_labels_keep_order_and_partition(labels, smallest):
    before = labels.copy()
    compact = compact_labels(labels, min_size_voxels=smallest)
    sizes = np.bincount(labels.ravel(), minlength=10)
    kept = [label for label in range(1, 10) if sizes[label] >= max(1, smallest)]
    for label in range(10):
        assert set(compact[labels == label].tolist()) <= {kept.index(label) + 1 if label in kept else 0}
    np.testing.assert_array_equal(labels, before)


def test_compact_labels_choose_the_smallest_type():
    for count, dtype in ((255, np.uint8), (256, np.uint16), (65536, np.uint32)):
        assert compact_labels(np.arange(1, count + 1).reshape(1, 1, -1) * 2).dtype == dtype


@pytest.mark.parametrize("labels", [np.ones((1, 1, 2)), np.full((1, 1, 2), -1), np.full((1, 1, 2), 2**32)])
def test_compact_labels_refuse_what_is_not_a_label(labels):
    with pytest.raises(InputError, match="labels must"):
        compact_labels(labels)
