"""Average precision of instances without confidences."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from sectome.checks import InputError
from sectome.metrics.contingency import ContingencyTable, contingency_table
from sectome.metrics.overlaps import overlaps_of


def average_precision(
    truth: Any, segmentation: Any, iou_threshold: float = 0.75, ignore_label: int | None = 0
) -> float:
    """Return TP / (TP + FP + FN) of objects and segments matched by overlap.

    An object and a segment match if their intersection over union (IoU) reaches the threshold, each at most once. Above
    0.5 the match is unique; at 0.5 and below the number of matches is maximised. This is the average precision of
    instance segmentation without confidences (Schmidt et al. 2018, arXiv:1806.03535). 0 is background on both sides
    and never an instance.

    Args:
        truth: integer ground truth of any shape.
        segmentation: integer labels of the same shape.
        iou_threshold: least IoU of a match, above 0 and at most 1.
        ignore_label: ground truth label whose voxels do not count, neither in a union nor as false positives. Use 0
            where 0 means unlabelled. Use `None` where 0 means background, as for mitochondria; then a segment outside
            of all objects is a false positive.

    Returns:
        0 to 1; 1 if there is neither an object nor a segment.

    Raises:
        InputError: if the shapes differ, an array is not integer, no voxel counts, or the threshold is out of
            range.
    """
    if not 0 < iou_threshold <= 1:
        raise InputError(f"iou_threshold must be above 0 and at most 1, got {iou_threshold}")
    return average_precision_of(contingency_table(truth, segmentation, ignore_label), iou_threshold)


def average_precision_of(table: ContingencyTable, iou_threshold: float = 0.75) -> float:
    """Return TP / (TP + FP + FN) of the objects and segments of a contingency table; see `average_precision`."""
    rows, columns, _, iou = overlaps_of(table)
    pairs = iou >= iou_threshold
    graph = sparse.csr_array((np.ones(int(pairs.sum())), (rows[pairs], columns[pairs])), shape=table.counts.shape)
    found = int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum())
    instances = int((table.objects != 0).sum()) + int((table.segments != 0).sum())
    return found / (instances - found) if instances else 1.0
