"""Scores of label volumes: by hand, against scikit-image, and blind to names."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import metrics as skimage_metrics

from sectome.checks import InputError
from sectome.metrics import adapted_rand_error, average_precision, contingency_table, variation_of_information

LABELS = hnp.arrays(np.int64, (2, 3, 5), elements=st.integers(0, 4))
SCORES = [adapted_rand_error, variation_of_information, average_precision]


def reference_adapted_rand_error(truth, segmentation):
    """All pairs of counted voxels."""
    voxels = [pair for pair in zip(truth.ravel().tolist(), segmentation.ravel().tolist(), strict=True) if pair[0] != 0]
    both = in_truth = in_segmentation = 0
    for (a, b), (c, d) in itertools.combinations(voxels, 2):
        both += a == c and b == d
        in_truth += a == c
        in_segmentation += b == d
    return 1 - 2 * both / (in_truth + in_segmentation) if in_truth + in_segmentation else 0.0


def reference_average_precision(truth, segmentation, threshold, ignore_label):
    """Masks of every object against masks of every segment; above 0.5 nothing matches twice."""
    counted = truth != ignore_label if ignore_label is not None else np.ones(truth.shape, bool)
    objects = [(truth == label) & counted for label in set(truth[counted].tolist()) - {0}]
    segments = [(segmentation == label) & counted for label in set(segmentation[counted].tolist()) - {0}]
    found = sum((a & b).sum() / (a | b).sum() >= threshold for a in objects for b in segments)
    total = len(objects) + len(segments) - found
    return found / total if total else 1.0


def test_a_contingency_table_counts_what_the_truth_labels():
    truth = np.array([[0, 0, 3, 3, 9, 9]])
    segmentation = np.array([[1, 1, 0, 2, 2, 10**12]])
    table = contingency_table(truth, segmentation)
    assert table.objects.tolist() == [3, 9]
    assert table.segments.tolist() == [0, 2, 10**12]
    assert table.counts.toarray().tolist() == [[1, 1, 0], [0, 1, 1]]
    every = contingency_table(truth, segmentation, ignore_label=None)
    assert every.objects.tolist() == [0, 3, 9]
    assert every.counts.sum() == 6


def test_a_split_is_a_split_and_a_merge_is_a_merge():
    two_halves = np.array([1, 1, 2, 2])
    whole = np.array([1, 1, 1, 1])
    # One object cut in two halves: one bit of split. Two objects in one segment: one bit of merge.
    assert variation_of_information(whole, two_halves) == (1.0, 0.0)
    assert variation_of_information(two_halves, whole) == (0.0, 1.0)


def test_the_adapted_rand_error_by_hand():
    # Pairs in the truth 2, in the segmentation 6, in both 2: 1 - 2 * 2 / 8.
    assert adapted_rand_error(np.array([1, 1, 2, 2]), np.array([1, 1, 1, 1])) == pytest.approx(0.5)


def test_voxels_that_the_segmentation_leaves_out_are_one_segment():
    truth = np.array([1, 1, 2, 2])
    left_out = np.array([0, 0, 0, 0])
    assert variation_of_information(truth, left_out) == (0.0, 1.0)
    assert adapted_rand_error(truth, left_out) == pytest.approx(0.5)
    assert average_precision(truth, left_out) == 0


def test_only_the_truth_decides_what_is_ignored():
    truth = np.array([0, 0, 0, 1, 1, 2, 2])
    assert adapted_rand_error(truth, np.array([5, 6, 7, 5, 5, 6, 6])) == 0
    assert variation_of_information(truth, np.array([5, 6, 7, 5, 5, 6, 6])) == (0.0, 0.0)
    assert variation_of_information(truth, np.array([5, 5, 5, 5, 5, 6, 6]), ignore_label=None)[1] > 0
    assert adapted_rand_error(np.array([7, 7, 1, 1]), np.array([1, 2, 3, 3]), ignore_label=7) == 0


@settings(deadline=None, max_examples=60)
@given(truth=LABELS, segmentation=LABELS)
def test_scores_agree_with_scikit_image_and_the_reference(truth, segmentation):
    truth[0, 0, 0] = 1
    before = truth.copy(), segmentation.copy()
    assert adapted_rand_error(truth, segmentation) == pytest.approx(reference_adapted_rand_error(truth, segmentation))
    expected = skimage_metrics.variation_of_information(truth, segmentation, ignore_labels=(0,))
    assert variation_of_information(truth, segmentation) == pytest.approx(tuple(expected), abs=1e-9)
    for ignore_label in (0, None):
        assert average_precision(truth, segmentation, 0.6, ignore_label) == pytest.approx(
            reference_average_precision(truth, segmentation, 0.6, ignore_label)
        )
    np.testing.assert_array_equal(truth, before[0])
    np.testing.assert_array_equal(segmentation, before[1])


@settings(deadline=None, max_examples=30)
@given(truth=LABELS, segmentation=LABELS, seed=st.integers(0, 999))
def test_names_of_objects_and_segments_do_not_matter(truth, segmentation, seed):
    truth[0, 0, 0] = 1
    names = np.random.default_rng(seed).permutation(9) + 1
    renamed_truth = np.append(0, names)[truth]
    renamed = np.append(0, names[::-1] * 10**9)[segmentation]
    for score in SCORES:
        assert score(renamed_truth, renamed) == pytest.approx(score(truth, segmentation))


@settings(deadline=None, max_examples=20)
@given(truth=LABELS)
def test_the_truth_has_no_error(truth):
    truth[0, 0, 0] = 1
    assert adapted_rand_error(truth, truth) == pytest.approx(0)
    assert variation_of_information(truth, truth) == pytest.approx((0, 0))
    assert average_precision(truth, truth) == 1


def test_average_precision_by_hand():
    #        object 1 (4)  object 2 (4)  background
    truth = np.array([1, 1, 1, 1, 2, 2, 2, 2, 0, 0])
    segments = np.array([5, 5, 5, 0, 6, 6, 7, 7, 8, 8])
    # 5 overlaps 1 by 3/4. 6 and 7 hold half of 2 each. 8 lies where the truth is 0.
    assert average_precision(truth, segments, 0.75) == pytest.approx(1 / (1 + 2 + 1))
    assert average_precision(truth, segments, 0.76) == 0
    assert average_precision(truth, segments, 0.75, ignore_label=None) == pytest.approx(1 / (1 + 3 + 1))
    # At 0.5 both halves reach the threshold, but 2 is found once.
    assert average_precision(truth, segments, 0.5) == pytest.approx(2 / (2 + 1 + 0))


def test_a_segment_that_spills_into_the_background_counts_only_if_background_is_known():
    truth = np.array([1, 1, 1, 0, 0, 0])
    segments = np.array([4, 4, 4, 4, 4, 0])
    assert average_precision(truth, segments, 0.75) == 1
    assert average_precision(truth, segments, 0.75, ignore_label=None) == 0
    assert average_precision(np.zeros(3, int), np.zeros(3, int), ignore_label=None) == 1


def test_objects_of_one_voxel_have_no_pairs_and_no_error():
    assert adapted_rand_error(np.array([1, 2, 3]), np.array([3, 2, 1])) == 0
    assert adapted_rand_error(np.array([1, 2, 3]), np.array([1, 1, 1])) == pytest.approx(1)


@pytest.mark.parametrize("score", SCORES)
def test_what_cannot_be_scored_is_refused(score):
    ones = np.ones((2, 3), int)
    with pytest.raises(InputError, match=r"the truth's shape \(2, 3\), got \(3, 2\)"):
        score(ones, ones.T)
    with pytest.raises(InputError, match="the truth must hold integer labels, got float64"):
        score(ones.astype(float), ones)
    with pytest.raises(InputError, match="the segmentation must hold integer labels, got bool"):
        score(ones, ones.astype(bool))
    with pytest.raises(InputError, match="at least one voxel that is not 0, got none"):
        score(0 * ones, ones)


@pytest.mark.parametrize("threshold", [0, 1.2, 75])
def test_an_overlap_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(InputError, match=f"above 0 and at most 1, got {threshold}"):
        average_precision(np.ones(2, int), np.ones(2, int), threshold)
