"""Arrays of numpy as torch takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def as_tensor(voxels: Any) -> Tensor:
    """Return voxels as a tensor, of arrays that torch knows without a copy.

    It knows none that runs backwards, as a flipped one does, nor one of the other byte order, as ImageJ writes TIFFs.
    """
    if isinstance(voxels, np.ndarray):
        native = voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
        voxels = native if min(native.strides, default=0) >= 0 else native.copy()
    return torch.as_tensor(voxels)
