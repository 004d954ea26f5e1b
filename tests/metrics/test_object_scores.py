"""Scores of single objects: by hand, and against masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sectome.checks import InputError
from sectome.metrics import ObjectScore, contingency_table, object_scores, object_scores_of

LABELS = hnp.arrays(np.int64, (2, 3, 5), elements=st.integers(0, 4))


def reference_object_scores(truth, segmentation, min_voxels):
    rows = []
    for label in sorted(set(truth.ravel().tolist()) - {0}):
        inside = truth == label
        held = {
            segment: int((segmentation[inside] == segment).sum())
            for segment in sorted(set(segmentation[inside].tolist()) - {0})
        }
        best = max(held, key=held.get, default=0)
        sizes = {segment: int(((segmentation == segment) & (truth != 0)).sum()) for segment in held}
        size = int(inside.sum())
        rows.append(
            ObjectScore(
                label,
                size,
                sum(voxels >= min_voxels for voxels in held.values()),
                best,
                held[best] / size if best else 0.0,
                held[best] / sizes[best] if best else 0.0,
                max((held[s] / (size + sizes[s] - held[s]) for s in held), default=0.0),
            )
        )
    return rows


def test_the_best_segment_by_recall_need_not_be_the_best_by_overlap():
    truth = np.array([3] * 5 + [4] * 9 + [6] * 2 + [0] * 3)
    segmentation = np.array([8, 8, 8, 9, 9] + [8] * 9 + [0] * 2 + [9] * 3)
    assert object_scores(truth, segmentation, min_voxels=2) == [
        # 8 holds three of object 3's five voxels, but twelve in all: 3 / 14; 9 has 2 / 5 where the truth is known.
        ObjectScore(3, 5, 2, 8, 3 / 5, 3 / 12, 2 / 5),
        ObjectScore(4, 9, 1, 8, 1, 9 / 12, 9 / 12),
        ObjectScore(6, 2, 0, 0, 0, 0, 0),
    ]
    assert [row.segments for row in object_scores(truth, segmentation, min_voxels=3)] == [1, 1, 0]


def test_a_table_with_the_background_in_it_has_no_row_for_the_background():
    truth, segmentation = np.array([0, 0, 5, 5]), np.array([1, 1, 1, 1])
    every = object_scores_of(contingency_table(truth, segmentation, ignore_label=None), min_voxels=1)
    assert every == [ObjectScore(5, 2, 1, 1, 1, 1 / 2, 1 / 2)]


@settings(deadline=None, max_examples=50)
@given(truth=LABELS, segmentation=LABELS, min_voxels=st.integers(1, 4))
def test_the_rows_agree_with_the_reference(truth, segmentation, min_voxels):
    truth[0, 0, 0] = 1
    before = truth.copy(), segmentation.copy()
    rows = object_scores(truth, segmentation, min_voxels=min_voxels)
    assert rows == reference_object_scores(truth, segmentation, min_voxels)
    np.testing.assert_array_equal(truth, before[0])
    np.testing.assert_array_equal(segmentation, before[1])


def test_great_ids_and_plain_types_come_out():
    truth = np.array([2**64 - 1, 2**64 - 1], np.uint64)
    (row,) = object_scores(truth, np.array([-7, -7]))
    assert row._asdict() == {
        "object": 2**64 - 1, "voxels": 2, "segments": 0, "best_segment": -7, "recall": 1, "precision": 1, "iou": 1
    }  # fmt: skip
    assert {type(value) for value in row} == {int, float}


def test_what_cannot_be_scored_is_refused():
    ones = np.ones((2, 3), int)
    with pytest.raises(InputError, match=r"the truth's shape \(2, 3\), got \(3, 2\)"):
        object_scores(ones, ones.T)
    with pytest.raises(InputError, match="at least one voxel that is not 0, got none"):
        object_scores(0 * ones, ones)
    with pytest.raises(InputError, match="min_voxels must be a number of at least 1, got 0"):
        object_scores(ones, ones, min_voxels=0)
