"""The average precision of boundaries: by hand, with ties, and against a search over thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sectome.checks import InputError
from sectome.metrics import boundary_average_precision


def reference_average_precision(truth, prediction, valid):
    """Every threshold in turn: precision times the gain in recall."""
    boundary, values = truth[valid == 1] == 0, prediction[valid == 1]
    score = recall = 0.0
    for threshold in np.unique(values):
        called = values <= threshold
        hits = (boundary & called).sum()
        score += hits / called.sum() * (hits / boundary.sum() - recall)
        recall = hits / boundary.sum()
    return score


def test_low_affinities_are_boundaries():
    truth = np.array([0, 0, 1, 1])
    ones = np.ones(4)
    assert boundary_average_precision(truth, np.array([0.1, 0.2, 0.8, 0.9]), ones) == 1
    # Worst order: the boundaries come third and fourth, with precision 1/3 and 2/4.
    assert boundary_average_precision(truth, np.array([0.8, 0.9, 0.1, 0.2]), ones) == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_equal_predictions_are_taken_together():
    truth = np.array([0, 1, 1, 1])
    assert boundary_average_precision(truth, np.full(4, 0.3), np.ones(4)) == pytest.approx(0.25)


def test_invalid_voxels_do_not_count():
    truth = np.array([[0, 1, 0]])
    assert boundary_average_precision(truth, np.array([[0.2, 0.5, 0.9]]), np.array([[1, 1, 0]])) == 1


@settings(deadline=None, max_examples=50)
@given(
    truth=hnp.arrays(np.uint8, (2, 3, 4), elements=st.integers(0, 1)),
    prediction=hnp.arrays(np.uint8, (2, 3, 4), elements=st.integers(0, 5)),
    valid=hnp.arrays(np.uint8, (2, 3, 4), elements=st.integers(0, 1)),
)
def test_the_score_agrees_with_the_reference_in_any_unit(truth, prediction, valid):
    truth[0, 0, 0], valid[0, 0, 0] = 0, 1
    expected = reference_average_precision(truth, prediction, valid)
    assert boundary_average_precision(truth, prediction, valid) == pytest.approx(expected)
    assert boundary_average_precision(truth, prediction / 5, valid) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("truth", "prediction", "valid", "message"),
    [
        (np.zeros(3), np.zeros(2), np.ones(3), r"affinity_prediction must have .* \(3,\), got \(2,\)"),
        (np.zeros(3), np.zeros(3), np.ones(2), r"valid array must have .* \(3,\), got \(2,\)"),
        (np.full(3, 2), np.zeros(3), np.ones(3), "must be 0 or 1, got values in 2..2"),
        (np.zeros(3), np.full(3, np.nan), np.ones(3), "must be finite"),
        (np.ones(3), np.zeros(3), np.ones(3), "at least one boundary .* got none in 3"),
        (np.zeros(3), np.zeros(3), np.zeros(3), "at least one boundary .* got none in 0"),
    ],
)
def test_what_cannot_be_scored_is_refused(truth, prediction, valid, message):
    with pytest.raises(InputError, match=message):
        boundary_average_precision(truth, prediction, valid)
