"""Where a truth says something."""

from __future__ import annotations

import numpy as np

from sectome.types import UNKNOWN_FROM, Array


def known_voxels(labels: Array) -> Array:
    """Return where labels (any shape) say what there is: as in training not at -1 and, in uint64, from 2**63 on."""
    if labels.dtype.newbyteorder("=") == np.uint64:
        known: Array = labels < np.uint64(UNKNOWN_FROM)
        return known
    return labels >= 0 if labels.dtype.kind == "i" else np.ones(labels.shape, bool)
