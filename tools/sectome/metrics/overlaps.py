"""Overlaps of objects and segments, by which instances are matched."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sectome.metrics.contingency import ContingencyTable


class Overlaps(NamedTuple):
    """The cells of a contingency table in which neither id is 0, the background.

    Attributes:
        rows: (P,) rows of the table, ascending.
        columns: (P,) columns of the table, ascending within a row.
        voxels: (P,) float64 numbers of voxels in common.
        iou: (P,) float64 intersections over unions, above 0 and at most 1.
    """

    rows: npt.NDArray[np.integer]
    columns: npt.NDArray[np.integer]
    voxels: npt.NDArray[np.float64]
    iou: npt.NDArray[np.float64]


def overlaps_of(table: ContingencyTable) -> Overlaps:
    """Return the overlaps of objects and segments; unions are taken over all voxels of the table."""
    rows, columns = table.counts.nonzero()
    voxels = table.counts.data
    iou = voxels / (table.counts.sum(axis=1)[rows] + table.counts.sum(axis=0)[columns] - voxels)
    kept = (table.objects[rows] != 0) & (table.segments[columns] != 0)
    return Overlaps(rows[kept], columns[kept], voxels[kept], iou[kept])
