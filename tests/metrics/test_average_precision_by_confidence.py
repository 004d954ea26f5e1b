"""Average precision by confidence: by hand, against a slow twin, and the numbers of the MitoEM challenge's tool."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectome.checks import InputError
from sectome.metrics import average_precision_by_confidence

EVERY_SIZE = (0, float("inf"))

# Objects 1, 2 and 3 of four voxels; 10 finds 1, 12 finds 2, nothing finds 3, and 11 lies in the background.
TRUTH = np.array([1] * 4 + [2] * 4 + [3] * 4 + [0] * 8)
SEGMENTATION = np.array([10] * 4 + [12] * 4 + [0] * 4 + [11] * 8)


def reference_average_precision(truth, segmentation, threshold, confidences, size_range=EVERY_SIZE):
    """The description word by word: masks of single segments, and a search for every point of recall."""
    low, high = size_range
    objects = {label: truth == label for label in set(truth.ravel().tolist()) - {0}}
    fits = {label: low < mask.sum() <= high for label, mask in objects.items()}
    recalls, precisions, true, false = [], [], 0, 0
    for segment in sorted(confidences, key=lambda segment: (-confidences[segment], segment)):
        mask = segmentation == segment
        overlaps = [((mask & held).sum() / (mask | held).sum(), label) for label, held in sorted(objects.items())]
        overlaps = [overlap for overlap in overlaps if overlap[0] > 0]
        best = max([o for o in overlaps if fits[o[1]]] or overlaps or [(0, 0)], key=lambda overlap: overlap[0])
        if best[0] >= threshold:
            true += fits[best[1]]
        else:
            false += low < mask.sum() <= high
        if true + false:
            recalls.append(true / sum(fits.values()))
            precisions.append(true / (true + false))
    reached = [
        max([p for r, p in zip(recalls, precisions, strict=True) if r >= point], default=0)
        for point in np.linspace(0, 1, 101)
    ]
    return sum(reached) / 101


def sizes_of(segmentation):
    ids, counts = np.unique(segmentation[segmentation != 0], return_counts=True)
    return dict(zip(ids.tolist(), counts.tolist(), strict=True))


def test_the_order_of_confidence_decides_by_hand():
    # Recall reaches 1/3 and 2/3: 34 of the 101 points lie up to the first, 33 more up to the second.
    found_first = {10: 0.9, 12: 0.8, 11: 0.1}
    assert average_precision_by_confidence(TRUTH, SEGMENTATION, confidences=found_first) == pytest.approx(67 / 101)
    between = {10: 0.9, 11: 0.5, 12: 0.1}
    assert average_precision_by_confidence(TRUTH, SEGMENTATION, confidences=between) == pytest.approx(
        (34 + 33 * 2 / 3) / 101
    )


def test_without_confidences_the_largest_segment_comes_first():
    # A false positive of eight voxels, then two hits: precision 1/2 and 2/3, of which 2/3 counts for both.
    assert average_precision_by_confidence(TRUTH, SEGMENTATION) == pytest.approx(67 * 2 / 3 / 101)
    sizes = sizes_of(SEGMENTATION)
    assert average_precision_by_confidence(TRUTH, SEGMENTATION, confidences=sizes) == pytest.approx(67 * 2 / 3 / 101)


def test_equal_confidences_are_ranked_by_id():
    equal = {10: 1, 11: 1, 12: 1}
    assert average_precision_by_confidence(TRUTH, SEGMENTATION, confidences=equal) == pytest.approx(
        (34 + 33 * 2 / 3) / 101
    )


def test_a_segment_finds_an_object_at_the_threshold_and_not_above():
    truth, segmentation = np.array([1, 1, 1, 1]), np.array([5, 5, 5, 0])
    assert average_precision_by_confidence(truth, segmentation, 0.75) == 1
    assert average_precision_by_confidence(truth, segmentation, 0.76) == 0


def test_what_another_size_range_explains_does_not_count():
    #        object 1, 2 voxels; object 2, 6 voxels
    truth = np.array([1, 1, 2, 2, 2, 2, 2, 2, 0, 0, 0])
    segmentation = np.array([4, 4, 5, 5, 5, 5, 5, 5, 6, 6, 6])
    # 6 has three voxels: a false positive among the small and not among the large, found after 4 all the same.
    assert average_precision_by_confidence(truth, segmentation, size_range_voxels=(3, 10)) == 1
    assert average_precision_by_confidence(truth, segmentation, size_range_voxels=(0, 3)) == pytest.approx(0.5)
    ranked = {4: 3, 5: 2, 6: 1}
    assert average_precision_by_confidence(truth, segmentation, 0.75, ranked, (0, 3)) == 1


def test_a_segment_looks_for_an_object_of_the_size_range_first():
    #        object 1, 3 voxels; object 2, 7 voxels
    truth = np.array([1, 1, 1, 2, 2, 2, 2, 2, 2, 2])
    segmentation = np.array([4, 4, 5, 5, 5, 5, 5, 5, 0, 0])
    # 5 overlaps the large 2 by 5 / 8, but is itself small and touches the small 1: a false positive before 4's hit.
    assert average_precision_by_confidence(truth, segmentation, 0.6, {4: 1, 5: 2}, (0, 6)) == pytest.approx(0.5)
    assert average_precision_by_confidence(truth, segmentation, 0.6, {4: 1, 5: 2}) == 1


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    threshold=st.sampled_from([0.5, 0.6, 0.75, 1]),
    size_range=st.sampled_from([EVERY_SIZE, (0, 8), (8, 20)]),
)
def test_the_score_agrees_with_the_reference(seed, threshold, size_range):
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, 6, (2, 3, 3)), np.ones((1, 2, 2), int))
    truth[0, 0, 0], truth[1, :3, :4] = 7, 8
    segmentation = np.where(rng.random(truth.shape) < rng.uniform(0, 0.5), rng.integers(0, 9, truth.shape), truth)
    before = truth.copy(), segmentation.copy()
    sizes = sizes_of(segmentation)
    given = {segment: float(rng.integers(0, 4)) for segment in sizes}
    for confidences in (None, given):
        score = average_precision_by_confidence(truth, segmentation, threshold, confidences, size_range)
        expected = reference_average_precision(truth, segmentation, threshold, confidences or sizes, size_range)
        assert score == pytest.approx(expected)
    np.testing.assert_array_equal(truth, before[0])
    np.testing.assert_array_equal(segmentation, before[1])


@pytest.mark.parametrize(
    ("threshold", "size_range", "score"),
    [
        (0.5, EVERY_SIZE, 0.50229844),
        (0.75, EVERY_SIZE, 0.21692169),
        (0.95, EVERY_SIZE, 0.10891089),
        (0.75, (0, 150), 0),
        (0.75, (150, 220), 0.25742574),
        (0.75, (220, 1e10), 0.38118812),
    ],
)
def test_the_score_is_what_the_tool_of_the_challenge_prints(threshold, size_range, score):
    # By ygCoconut/mAP_3Dvolume at d494665, with these confidences and size ranges.
    _, y, x = np.indices((6, 40, 40))
    truth = np.where((y % 8 < 6) & (x % 10 < 8 - y // 8), 1 + y // 8 + 5 * (x // 10), 0)
    segmentation = np.where((y % 8 < 6) & ((x + y // 16) % 10 < 7), 1 + y // 8 + 5 * (x // 10 % 3), 0)
    confidences = {segment: segment * 7 % 17 for segment in range(1, 16)}
    assert average_precision_by_confidence(truth, segmentation, threshold, confidences, size_range) == pytest.approx(
        score, abs=1e-8
    )


def test_great_ids_are_ids():
    truth = np.where(TRUTH, TRUTH.astype(np.uint64) + np.uint64(2**63), np.uint64(0))
    segmentation = SEGMENTATION * 10**12
    confidences = {10 * 10**12: 0.9, 12 * 10**12: 0.8, 11 * 10**12: 0.1}
    assert average_precision_by_confidence(truth, segmentation, confidences=confidences) == pytest.approx(67 / 101)


def test_no_segment_finds_nothing():
    assert average_precision_by_confidence(TRUTH, 0 * TRUTH) == 0
    assert average_precision_by_confidence(TRUTH, 0 * TRUTH, confidences={}) == 0


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(InputError, match=r"between 0\.5 and 1, got 0\.4"):
        average_precision_by_confidence(TRUTH, SEGMENTATION, 0.4)
    with pytest.raises(InputError, match=r"the truth's shape \(20,\), got \(19,\)"):
        average_precision_by_confidence(TRUTH, SEGMENTATION[1:])
    with pytest.raises(InputError, match="at least one object of more than 0 and at most inf voxels, got none"):
        average_precision_by_confidence(0 * TRUTH, SEGMENTATION)
    with pytest.raises(InputError, match="at least one object of more than 4 and at most 9 voxels, got none"):
        average_precision_by_confidence(TRUTH, SEGMENTATION, size_range_voxels=(4, 9))
    with pytest.raises(InputError, match=r"a number for each segment, got none for 2: \[11 12\]"):
        average_precision_by_confidence(TRUTH, SEGMENTATION, confidences={10: 0.5, 12: float("nan")})
