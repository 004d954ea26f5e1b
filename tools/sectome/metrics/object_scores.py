"""Scores of each single object."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sectome.checks import check_at_least
from sectome.metrics.contingency import ContingencyTable, contingency_table
from sectome.metrics.overlaps import overlaps_of


class ObjectScore(NamedTuple):
    """The scores of one object.

    Attributes:
        object: id of the true object.
        voxels: size of the object.
        segments: number of segments that hold enough voxels of it.
        best_segment: segment that holds most of it, 0 if there is none.
        recall: share of the object's voxels that lie in the best segment.
        precision: share of the best segment's voxels that lie in the object, 0 without such a segment.
        iou: greatest intersection over union with any segment.
    """

    object: int
    voxels: int
    segments: int
    best_segment: int
    recall: float
    precision: float
    iou: float


def object_scores_of(table: ContingencyTable, min_voxels: int = 100) -> list[ObjectScore]:
    """Return a row for each object of a contingency table, sorted by id; see `object_scores`."""
    check_at_least(min_voxels, 1, "min_voxels")
    rows, columns, voxels, iou = overlaps_of(table)
    objects = len(table.objects)
    pieces = np.bincount(rows[voxels >= min_voxels], minlength=objects)
    greatest_iou = np.zeros(objects)
    np.maximum.at(greatest_iou, rows, iou)
    # Among equal pieces the smallest id comes first: the sort is stable, and columns are in order.
    order = np.lexsort((-voxels, rows))
    held, firsts = np.unique(rows[order], return_index=True)
    best = order[firsts]
    best_segment = np.zeros(objects, table.segments.dtype)
    best_segment[held] = table.segments[columns[best]]
    sizes = table.counts.sum(axis=1)
    recall, precision = np.zeros(objects), np.zeros(objects)
    recall[held] = voxels[best] / sizes[held]
    precision[held] = voxels[best] / table.counts.sum(axis=0)[columns[best]]
    fields = (table.objects, sizes.astype(int), pieces, best_segment, recall, precision, greatest_iou)
    return [ObjectScore(*row) for row in zip(*(field.tolist() for field in fields), strict=True) if row[0] != 0]


def object_scores(truth: Any, segmentation: Any, *, min_voxels: int = 100) -> list[ObjectScore]:
    """Return the scores of each object.

    Voxels with ground truth 0 do not count, and the segmentation's 0 is no segment.

    Args:
        truth: integer ground truth of any shape.
        segmentation: integer labels of the same shape.
        min_voxels: number of an object's voxels, at least 1, from which a segment counts in `segments`.

    Returns:
        A row for each object, sorted by id.

    Raises:
        InputError: if the shapes differ, an array is not integer, there is no object, or `min_voxels` < 1.
    """
    return object_scores_of(contingency_table(truth, segmentation), min_voxels)
