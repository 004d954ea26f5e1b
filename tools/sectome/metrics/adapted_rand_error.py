"""The adapted Rand error of a segmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from skimage import metrics

from sectome.metrics.contingency import contingency_table


def adapted_rand_error_of(counts: sparse.csr_array) -> float:
    """Return the adapted Rand error of (objects, segments) voxel counts."""
    # If every object or every segment is one voxel, there are no pairs, and precision or recall is 0 / 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        error, _, _ = metrics.adapted_rand_error(table=counts)
    return 0.0 if np.isnan(error) else float(error)


def adapted_rand_error(truth: Any, segmentation: Any, ignore_label: int | None = 0) -> float:
    """Return the adapted Rand error: 1 minus the F1 score of predicting which voxel pairs share an object.

    It is the score of the SNEMI3D contest (Arganda-Carreras et al. 2015, doi:10.3389/fnana.2015.00142), as scikit-image
    computes it over pairs of different voxels. Voxels with ground truth `ignore_label` do not count; the segmentation's
    0 counts as one segment.

    Args:
        truth: integer ground truth of any shape.
        segmentation: integer labels of the same shape.
        ignore_label: ground truth label to leave out, or `None`.

    Returns:
        0 (equal partitions) to 1; also 0 where there are no pairs of voxels.

    Raises:
        InputError: if the shapes differ, an array is not integer, or no voxel counts.
    """
    return adapted_rand_error_of(contingency_table(truth, segmentation, ignore_label).counts)
