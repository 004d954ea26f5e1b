"""Mask of voxels whose ground truth is known."""

from __future__ import annotations

import numpy as np

from sectome.types import UNKNOWN_FROM, Array


def known_voxels(labels: Array) -> Array:
    """Return a mask of labels (any shape) that are known, as in training: not negative, nor uint64 from 2**63 on."""
    if labels.dtype.newbyteorder("=") == np.uint64:
        known: Array = labels < np.uint64(UNKNOWN_FROM)
        return known
    return labels >= 0 if labels.dtype.kind == "i" else np.ones(labels.shape, bool)
