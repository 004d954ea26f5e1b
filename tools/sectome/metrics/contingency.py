"""Contingency table of true objects and segments, from which all scores of labels are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from scipy import sparse

from sectome.checks import InputError
from sectome.types import LabelArray


def check_labels(labels: Any, name: str) -> LabelArray:
    """Return labels in native byte order, or raise an `InputError` with their `name` if they are not integers."""
    array = np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise InputError(f"the {name} must hold integer labels, got {array.dtype}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True, eq=False)
class ContingencyTable:
    """Numbers of voxels that objects and segments have in common.

    Attributes:
        counts: (objects, segments) sparse float64 voxel counts; no row or column is empty.
        objects: sorted ground truth ids of the rows.
        segments: sorted segmentation ids of the columns.
    """

    counts: sparse.csr_array
    objects: LabelArray
    segments: LabelArray

    def __add__(self, other: ContingencyTable) -> ContingencyTable:
        """Return the joint table of two parts of a volume, so that blocks can be counted one by one."""
        cells = [
            (table.objects[rows], table.segments[columns], counts)
            for table in (self, other)
            for (rows, columns), counts in [(table.counts.nonzero(), table.counts.data)]
        ]
        objects, segments, counts = (np.concatenate(parts) for parts in zip(*cells, strict=True))
        return _tabulate(objects, segments, counts)


def contingency_table(truth: Any, segmentation: Any, ignore_label: int | None = 0) -> ContingencyTable:
    """Return the numbers of voxels that each true object and each segment have in common.

    All scores here follow one convention. Voxels whose *ground truth* is `ignore_label` do not count. The
    segmentation's 0 counts as one segment, so that leaving voxels unsegmented is never free.

    Args:
        truth: integer ground truth of any shape.
        segmentation: integer labels of the same shape.
        ignore_label: ground truth label to leave out, or `None` to count all.

    Returns:
        Table of the ids that occur in counted voxels, so that large ids cost no memory.

    Raises:
        InputError: if the shapes differ, an array is not integer, or no voxel counts.
    """
    truth, segmentation = check_labels(truth, "truth"), check_labels(segmentation, "segmentation")
    if truth.shape != segmentation.shape:
        raise InputError(f"the segmentation must have the truth's shape {truth.shape}, got {segmentation.shape}")
    if not truth.size:
        raise nothing_to_score(ignore_label)
    one, other, counts = _count_pairs(np.ascontiguousarray(truth).ravel(), np.ascontiguousarray(segmentation).ravel())
    objects, segments = one.astype(truth.dtype), other.astype(segmentation.dtype)
    counted = np.ones(objects.shape, bool) if ignore_label is None else objects != ignore_label
    if not counted.any():
        raise nothing_to_score(ignore_label)
    return _tabulate(objects[counted], segments[counted], counts[counted])


def nothing_to_score(ignore_label: int | None) -> InputError:
    """Return the error for a ground truth in which no voxel counts."""
    return InputError(f"the truth must hold at least one voxel that is not {ignore_label}, got none")


def _tabulate(objects: LabelArray, segments: LabelArray, counts: Any) -> ContingencyTable:
    """Return the table of cells given by object id, segment id and count; duplicate cells are summed."""
    known_objects, rows = np.unique(objects, return_inverse=True)
    known_segments, columns = np.unique(segments, return_inverse=True)
    shape = (len(known_objects), len(known_segments))
    table = sparse.csr_array((np.asarray(counts, np.float64), (rows, columns)), shape=shape)
    table.sum_duplicates()
    return ContingencyTable(table, known_objects, known_segments)


@njit(cache=True, nogil=True)
def _count_pairs(truth: Any, segmentation: Any) -> Any:
    """Return the pairs of labels that occur, as two (P,) uint64 arrays, and their counts.

    Neighbours in memory are often the same pair, so runs are counted and entered into the hash table once.
    """
    ids, counts = np.zeros((1 << 12, 2), np.uint64), np.zeros(1 << 12, np.int64)
    used, start = 0, 0
    one, other = truth[0], segmentation[0]
    for index in range(truth.size):
        if truth[index] == one and segmentation[index] == other:
            continue
        used += _add(ids, counts, np.uint64(one), np.uint64(other), index - start)
        start, one, other = index, truth[index], segmentation[index]
        if 2 * used > counts.size:
            more_ids, more_counts = np.zeros((2 * counts.size, 2), np.uint64), np.zeros(2 * counts.size, np.int64)
            for place in range(counts.size):
                if counts[place]:
                    _add(more_ids, more_counts, ids[place, 0], ids[place, 1], counts[place])
            ids, counts = more_ids, more_counts
    _add(ids, counts, np.uint64(one), np.uint64(other), truth.size - start)
    found = counts > 0
    return ids[found, 0], ids[found, 1], counts[found]


@njit(cache=True, nogil=True, inline="always")
def _add(ids: Any, counts: Any, one: Any, other: Any, voxels: int) -> int:
    """Add voxels to a pair in an open-addressing hash table; return 1 if the pair is new, else 0."""
    mask = np.uint64(counts.size - 1)
    mixed = (one * np.uint64(0x9E3779B97F4A7C15)) ^ (other * np.uint64(0xC2B2AE3D27D4EB4F))
    place = (mixed ^ (mixed >> np.uint64(29))) & mask
    while counts[place] and not (ids[place, 0] == one and ids[place, 1] == other):
        place = (place + np.uint64(1)) & mask
    new = counts[place] == 0
    ids[place, 0], ids[place, 1] = one, other
    counts[place] += voxels
    return 1 if new else 0
