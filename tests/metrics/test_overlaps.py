"""Overlaps by hand."""

from __future__ import annotations

import numpy as np

from sectome.metrics import contingency_table
from sectome.metrics.overlaps import overlaps_of


def test_unions_count_the_background_but_it_overlaps_nothing():
    truth = np.array([1, 1, 1, 2, 0, 0])
    segmentation = np.array([7, 7, 0, 8, 8, 9])
    rows, columns, voxels, iou = overlaps_of(contingency_table(truth, segmentation, ignore_label=None))
    # Rows 0, 1, 2 and columns 0, 7, 8, 9.
    assert (rows.tolist(), columns.tolist(), voxels.tolist()) == ([1, 2], [1, 2], [2, 1])
    assert iou.tolist() == [2 / 3, 1 / 2]


def test_unions_leave_out_what_the_table_ignores():
    overlaps = overlaps_of(contingency_table(np.array([1, 0, 0]), np.array([5, 5, 6])))
    assert overlaps.iou.tolist() == [1]


def test_there_may_be_none():
    assert len(overlaps_of(contingency_table(np.array([1, 2]), np.array([0, 0]))).iou) == 0
