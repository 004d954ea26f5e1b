"""Variation of information between a segmentation and the ground truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from sectome.metrics.contingency import contingency_table


def _entropy(counts: npt.NDArray[np.float64], total: float) -> float:
    """Return the entropy in bits of a distribution given as counts above 0."""
    share = counts / total
    return float(-(share * np.log2(share)).sum())


def variation_of_information_of(counts: sparse.csr_array) -> tuple[float, float]:
    """Return (split, merge) in bits of (objects, segments) voxel counts."""
    # Not scikit-image's function: in 0.26 it needs the images even with `table`.
    total = float(counts.sum())
    joint = _entropy(counts.data, total)
    truth = _entropy(counts.sum(axis=1), total)
    segmentation = _entropy(counts.sum(axis=0), total)
    # Rounding may turn an exact 0 into a tiny negative number.
    return max(0.0, joint - truth), max(0.0, joint - segmentation)


def variation_of_information(truth: Any, segmentation: Any, ignore_label: int | None = 0) -> tuple[float, float]:
    """Return how much a segmentation splits objects and how much it merges them, in bits.

    Split is H(segmentation | truth), 0 if no object is cut. Merge is H(truth | segmentation), 0 if no segment holds
    two objects. The order is scikit-image's. Their sum is the variation of information (Meila 2007,
    doi:10.1016/j.jmva.2006.11.013; for neurons Nunez-Iglesias et al. 2013, doi:10.1371/journal.pone.0071715). Voxels
    with ground truth `ignore_label` do not count; the segmentation's 0 counts as one segment.

    Args:
        truth: integer ground truth of any shape.
        segmentation: integer labels of the same shape.
        ignore_label: ground truth label to leave out, or `None`.

    Returns:
        (split, merge), both at least 0.

    Raises:
        InputError: if the shapes differ, an array is not integer, or no voxel counts.
    """
    return variation_of_information_of(contingency_table(truth, segmentation, ignore_label).counts)
