"""The adapted Rand error of a segmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from skimage import metrics

from sectome.metrics.contingency import contingency_table


def adapted_rand_error_of(counts: sparse.csr_array) -> float:
    """Return the adapted Rand error of (objects, segments) voxel counts."""
    # Where every object or every segment is one voxel there are no pairs, and precision or recall is 0 / 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        error, _, _ = metrics.adapted_rand_error(table=counts)
    return 0.0 if np.isnan(error) else float(error)


def adapted_rand_error(truth: Any, segmentation: Any, ignore_label: int | None = 0) -> float:
    """Return 1 minus the F1 score of voxel pairs that lie in one object and in one segment.

    Of the SNEMI3D contest (Arganda-Carreras et al. 2015, doi:10.3389/fnana.2015.00142), as scikit-image computes it:
    pairs of two different voxels. Voxels whose truth is `ignore_label` do not count; the segmentation's 0 counts as
    one segment.

    Args:
        truth: integers of any shape.
        segmentation: integers of the same shape.
        ignore_label: the label of the truth to leave out, or `None`.

    Returns:
        0 (the same partition) to 1; 0 too where neither side has a pair of voxels.

    Raises:
        InputError: if the shapes differ, an array is not of integers, or nothing of the truth is left.
    """
    return adapted_rand_error_of(contingency_table(truth, segmentation, ignore_label).counts)
