"""Average precision of segments ranked by confidence, as in the MitoEM challenge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sectome.checks import InputError
from sectome.metrics.contingency import contingency_table
from sectome.metrics.overlaps import overlaps_of

_RECALLS = np.linspace(0, 1, 101)


def average_precision_by_confidence(
    truth: Any,
    segmentation: Any,
    iou_threshold: float = 0.75,
    confidences: Mapping[int, float] | None = None,
    size_range_voxels: tuple[float, float] = (0, float("inf")),
) -> float:
    """Return the area under the precision-recall curve of segments ranked by confidence.

    The MitoEM challenge's tool scores AP-75 this way (Wei et al. 2020, doi:10.1007/978-3-030-59722-1_7; COCO's
    convention). A segment finds the object with which it has the greatest intersection over union (IoU) if that
    reaches the threshold; otherwise it is a false positive. In descending confidence, each segment adds a point of
    recall and precision. Each precision is replaced by the greatest at equal or higher recall. The score is its mean
    at the recalls 0, 0.01 .. 1, with 0 where a recall is never reached. 0 is background on both sides; segments outside
    of all objects are false positives.

    With a size range, only objects within it are to be found, and segments match these before others. A segment does
    not count if it finds an object of another size, or finds none and is of another size itself.

    Args:
        truth: integer ground truth of any shape.
        segmentation: integer labels of the same shape.
        iou_threshold: least IoU, 0.5 to 1. At exactly 0.5, two halves of one object both find it, as in the
            challenge's tool.
        confidences: number for each segment id, of which only the order counts; ties are ranked by id. `None` ranks by
            size, the largest first, as the tool does without confidences.
        size_range_voxels: (low, high) object size in voxels, above the first and at most the second. MitoEM's small,
            medium and large mitochondria are (0, 5000), (5000, 15000) and (15000, infinity).

    Returns:
        0 to 1.

    Raises:
        InputError: if the shapes differ, an array is not integer, no object lies in the size range, the
            threshold is out of range, or a segment has no confidence.
    """
    if not 0.5 <= iou_threshold <= 1:
        raise InputError(f"iou_threshold must lie between 0.5 and 1, got {iou_threshold}")
    table = contingency_table(truth, segmentation, ignore_label=None)
    object_fits = _lies_within(table.counts.sum(axis=1), size_range_voxels)
    objects = int((object_fits & (table.objects != 0)).sum())
    if not objects:
        low, high = size_range_voxels
        raise InputError(
            f"the truth must hold at least one object of more than {low} and at most {high} voxels, got none"
        )
    rows, columns, _, iou = overlaps_of(table)
    order = np.lexsort((-iou, ~object_fits[rows], columns))
    segments, firsts = np.unique(columns[order], return_index=True)
    best = order[firsts]
    found, best_fits = (np.zeros(len(table.segments), bool) for _ in range(2))
    found[segments] = iou[best] >= iou_threshold
    best_fits[segments] = object_fits[rows[best]]

    sizes = table.counts.sum(axis=0)
    counted = np.where(found, best_fits, _lies_within(sizes, size_range_voxels)) & (table.segments != 0)
    ranks = sizes if confidences is None else _confidences_of(table.segments, confidences)
    ranked = np.argsort(-ranks, kind="stable")
    hits = np.cumsum(found[ranked[counted[ranked]]])
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(np.append(precision, 0)[np.searchsorted(hits / objects, _RECALLS)].mean())


def _lies_within(sizes: npt.NDArray[np.float64], size_range_voxels: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """Return a mask of the sizes above the range's low end and at most its high end."""
    low, high = size_range_voxels
    return (sizes > low) & (sizes <= high)


def _confidences_of(segments: Any, confidences: Mapping[int, float]) -> npt.NDArray[np.float64]:
    """Return the confidences of segment ids, with -infinity for the background, so that it ranks last."""
    values = np.array([confidences.get(segment, np.nan) if segment else -np.inf for segment in segments.tolist()])
    missing = segments[np.isnan(values)]
    if missing.size:
        raise InputError(f"confidences must hold a number for each segment, got none for {missing.size}: {missing[:5]}")
    return values
