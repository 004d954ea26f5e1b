"""How many voxels each true object shares with each segment: what every score of labels is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sectome.checks import InputError
from sectome.types import LabelArray


def check_labels(labels: Any, name: str) -> LabelArray:
    """Return labels as an array, or raise an `InputError` that calls them `name` if they are not integers."""
    array = np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise InputError(f"the {name} must hold integer labels, got {array.dtype}")
    return array


@dataclass(frozen=True, eq=False)
class ContingencyTable:
    """Voxels that objects and segments have in common.

    Attributes:
        counts: (objects, segments) sparse float64; no row and no column is empty.
        objects: the sorted truth ids of the rows.
        segments: the sorted segmentation ids of the columns.
    """

    counts: sparse.csr_array
    objects: LabelArray
    segments: LabelArray


def contingency_table(truth: Any, segmentation: Any, ignore_label: int | None = 0) -> ContingencyTable:
    """Return the voxels that each true object and each segment have in common.

    The convention of all scores here: voxels whose *truth* is `ignore_label` do not count. The segmentation's 0 is not
    special: its voxels count as one segment, so that leaving voxels out is never free.

    Args:
        truth: integers of any shape.
        segmentation: integers of the same shape.
        ignore_label: the label of the truth to leave out, or `None` to count all.

    Returns:
        The table over the ids that occur in counted voxels, so that large ids cost no memory.

    Raises:
        InputError: if the shapes differ, an array is not of integers, or nothing of the truth is left.
    """
    truth, segmentation = check_labels(truth, "truth"), check_labels(segmentation, "segmentation")
    if truth.shape != segmentation.shape:
        raise InputError(f"the segmentation must have the truth's shape {truth.shape}, got {segmentation.shape}")
    counted = np.ones(truth.shape, bool) if ignore_label is None else truth != ignore_label
    if not counted.any():
        raise InputError(f"the truth must hold at least one voxel that is not {ignore_label}, got none")
    objects, rows = np.unique(truth[counted], return_inverse=True)
    segments, columns = np.unique(segmentation[counted], return_inverse=True)
    cells, counts = np.unique(rows.astype(np.int64) * len(segments) + columns, return_counts=True)
    table = sparse.csr_array(
        (counts.astype(np.float64), (cells // len(segments), cells % len(segments))),
        shape=(len(objects), len(segments)),
    )
    return ContingencyTable(table, objects, segments)
