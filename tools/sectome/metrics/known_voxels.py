"""Where a truth says something."""

from __future__ import annotations

import numpy as np

from sectome.types import Array


def known_voxels(labels: Array) -> Array:
    """Return where labels (any shape) say what there is: as in training not at -1 and, in uint64, from 2**63 on."""
    known: Array = labels.astype(np.int64, copy=False) >= 0
    return known
