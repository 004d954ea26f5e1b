"""Compact label volumes for storage: ids 1..N in the smallest type, without small segments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from sectome.checks import InputError
from sectome.types import LabelArray


@njit(cache=True, nogil=True)
def _count_voxels(labels: Any, counts: Any) -> None:
    """Add the voxels of every id to `counts`."""
    for label in labels.ravel():
        counts[label] += 1


def count_voxels(labels: LabelArray) -> npt.NDArray[np.int64]:
    """Return the (largest id + 1,) voxel counts of labels in 0..2**32 - 1."""
    labels = np.ascontiguousarray(labels, dtype=np.uint32)
    counts = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    _count_voxels(labels, counts)
    return counts


def compact_lookup(counts: npt.NDArray[np.int64], min_size_voxels: int = 0) -> LabelArray:
    """Return a lookup from old to new ids: 1..N for ids with enough voxels, in the old order, and 0 for the others.

    Raises:
        InputError: if the size is negative.
    """
    if min_size_voxels < 0:
        raise InputError(f"min_size_voxels must not be negative, got {min_size_voxels}")
    kept = counts >= max(1, min_size_voxels)
    kept[0] = False
    total = int(kept.sum())
    lookup = np.zeros(counts.size, np.min_scalar_type(total))
    lookup[kept] = np.arange(1, total + 1)
    return lookup


def compact_labels(labels: Any, *, min_size_voxels: int = 0) -> LabelArray:
    """Return labels renumbered 1..N in the order of the old ids, with background 0.

    Args:
        labels: (Z, Y, X) integers of at least 0; memory grows with the largest id.
        min_size_voxels: smaller segments become 0. They are not merged into a neighbour: that would decide by size what
            the affinities did not.

    Returns:
        (Z, Y, X) in the smallest unsigned type that holds N.

    Raises:
        InputError: if the labels are not integers in 0..2**32 - 1, or the size is negative.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise InputError(f"labels must be integers from 0, got {labels.dtype}")
    if int(labels.min(initial=0)) < 0 or int(labels.max(initial=0)) >= 2**32:
        raise InputError(f"labels must lie in 0..{2**32 - 1}, got {int(labels.min())}..{int(labels.max())}")
    return compact_lookup(count_voxels(labels), min_size_voxels)[labels]
