"""Average precision of affinities as a ranking of boundaries, before segmentation."""

from __future__ import annotations

from typing import Any

import numpy as np

from sectome.checks import InputError, check_same_shape


def boundary_average_precision(affinity_truth: Any, affinity_prediction: Any, valid: Any) -> float:
    """Return the voxel-wise average precision of the boundary class, affinity 0.

    Low affinities predict a boundary. The score is the exact sum over all thresholds of precision times the gain in
    recall, with equal predictions taken together (as scikit-learn's `average_precision_score`). It depends only on the
    order of the predictions. Chance reaches the share of boundary among the valid voxels.

    Args:
        affinity_truth: ground truth 0 or 1, any shape; several channels are pooled.
        affinity_prediction: predictions of the same shape, in any unit.
        valid: array of the same shape, 0 where the ground truth is unknown.

    Returns:
        Above 0, at most 1.

    Raises:
        InputError: if the shapes differ, the ground truth holds values other than 0 and 1, a prediction is not finite,
            or there is no valid boundary.
    """
    truth, prediction, known = (np.asarray(array) for array in (affinity_truth, affinity_prediction, valid))
    check_same_shape(truth.shape, prediction.shape, "affinity_prediction")
    check_same_shape(truth.shape, known.shape, "valid array")
    truth, prediction = truth[known != 0], prediction[known != 0]
    if not np.isin(truth, (0, 1)).all():
        raise InputError(f"the true affinities must be 0 or 1, got values in {truth.min()}..{truth.max()}")
    if not np.isfinite(prediction).all():
        raise InputError("the predicted affinities must be finite, got NaN or infinity")
    boundaries = int((truth == 0).sum())
    if boundaries == 0:
        raise InputError(f"the valid voxels must hold at least one boundary (affinity 0), got none in {truth.size}")
    order = np.argsort(prediction, kind="stable")
    prediction, hits = prediction[order], np.cumsum(truth[order] == 0)
    ends = np.append(np.flatnonzero(np.diff(prediction) != 0), len(prediction) - 1)
    hits = hits[ends]
    precision = hits / (ends + 1)
    return float(np.sum(precision * np.diff(hits, prepend=0)) / boundaries)
