"""The average precision of segments ranked by confidence, as MitoEM scores it."""

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

    As the MitoEM challenge's tool scores AP-75 (Wei et al. 2020, doi:10.1007/978-3-030-59722-1_7; COCO's convention).
    A segment finds the object that it overlaps best if their intersection over union reaches the threshold, and is a
    false positive otherwise. From the surest segment to the least sure one, each adds a point of recall and precision;
    precision is made to fall by taking the best at any higher recall, read at the recalls 0, 0.01 .. 1, 0 where a
    recall is never reached, and averaged. 0 is background on both sides; segments outside of all objects are false
    positives.

    Of a size range, only its objects are to be found: a segment looks for the best of them first. It does not count if
    it found an object of another size, or none and is of another size itself.

    Args:
        truth: integers of any shape.
        segmentation: integers of the same shape.
        iou_threshold: 0.5 to 1. At 0.5 itself two halves of one object both find it, as in the challenge's tool.
        confidences: a number for each segment id, of which only the order counts; equal ones are ranked by id. `None`
            ranks by size, the largest first: the tool's choice where no confidence is given.
        size_range_voxels: above the first and at most the second number of voxels. MitoEM's small, medium and large
            mitochondria are (0, 5000), (5000, 15000) and (15000, infinity).

    Returns:
        0 to 1.

    Raises:
        InputError: if the shapes differ, an array is not of integers, there is no object of the size range, the
            threshold is out of its range, or a segment has no confidence.
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
    """Return which sizes lie above the range's low end and not above its high one."""
    low, high = size_range_voxels
    return (sizes > low) & (sizes <= high)


def _confidences_of(segments: Any, confidences: Mapping[int, float]) -> npt.NDArray[np.float64]:
    """Return the confidences of segment ids; the background has none and comes last."""
    values = np.array([confidences.get(segment, np.nan) if segment else -np.inf for segment in segments.tolist()])
    missing = segments[np.isnan(values)]
    if missing.size:
        raise InputError(f"confidences must hold a number for each segment, got none for {missing.size}: {missing[:5]}")
    return values
