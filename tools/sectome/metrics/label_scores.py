"""All scores of a segmentation at once, from one table."""

from __future__ import annotations

from typing import Any

from sectome.metrics.adapted_rand_error import adapted_rand_error_of
from sectome.metrics.average_precision import average_precision_of
from sectome.metrics.average_precision_by_confidence import average_precision_by_confidence
from sectome.metrics.contingency import contingency_table
from sectome.metrics.variation_of_information import variation_of_information_of


def label_scores(truth: Any, segmentation: Any, *, background: bool = False) -> dict[str, float]:
    """Return the scores of a segmentation by their names.

    Args:
        truth: integers of any shape.
        segmentation: integers of the same shape.
        background: what 0 means in the truth. False: nobody labelled there, and nothing there counts, as for neurons.
            True: there is no object, and a segment there is a false positive, as for mitochondria; then the average
            precision of the MitoEM challenge is there too.

    Returns:
        "adapted_rand_error", "voi_split", "voi_merge" and "voi" (bits), "average_precision_50" and "_75",
        "objects_in_truth" and "objects_in_segmentation", with a background "average_precision_75_mitoem". Voxels whose
        truth is 0 are left out; with a background not of the average precisions and the numbers of objects.

    Raises:
        InputError: if the shapes differ, an array is not of integers, or the truth has no object.
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
