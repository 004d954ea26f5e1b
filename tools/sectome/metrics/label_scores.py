"""All scores of a segmentation at once, from one contingency table."""

from __future__ import annotations

from typing import Any

from sectome.metrics.adapted_rand_error import adapted_rand_error_of
from sectome.metrics.average_precision import average_precision_of
from sectome.metrics.average_precision_by_confidence import average_precision_by_confidence
from sectome.metrics.contingency import contingency_table
from sectome.metrics.variation_of_information import variation_of_information_of


def label_scores(truth: Any, segmentation: Any, *, background: bool = False) -> dict[str, float]:
    """Return the scores of a segmentation by name.

    Args:
        truth: integer ground truth of any shape.
        segmentation: integer labels of the same shape.
        background: whether 0 in the ground truth is background. If so, as for mitochondria, a segment there is a false
            positive, and the average precision of the MitoEM challenge is added. If not, as for neurons, 0 means
            unlabelled and does not count.

    Returns:
        "adapted_rand_error", "voi_split", "voi_merge" and "voi" (bits), "average_precision_50" and "_75",
        "objects_in_truth" and "objects_in_segmentation", with a background also "average_precision_75_mitoem". Voxels
        with ground truth 0 are left out, except, with a background, from average precisions and numbers of objects.

    Raises:
        InputError: if the shapes differ, an array is not integer, or the ground truth has no object.
    """
    table = contingency_table(truth, segmentation, ignore_label=None if background else 0)
    labelled = table if not background else contingency_table(truth, segmentation)
    split, merge = variation_of_information_of(labelled.counts)
    scores = {
        "adapted_rand_error": adapted_rand_error_of(labelled.counts),
        "voi_split": split,
        "voi_merge": merge,
        "voi": split + merge,
        "average_precision_50": average_precision_of(table, 0.5),
        "average_precision_75": average_precision_of(table, 0.75),
        "objects_in_truth": int((table.objects != 0).sum()),
        "objects_in_segmentation": int((table.segments != 0).sum()),
    }
    if background:
        scores["average_precision_75_mitoem"] = average_precision_by_confidence(truth, segmentation)
    return scores
