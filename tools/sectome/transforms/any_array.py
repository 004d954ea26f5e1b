"""Conversion of numpy arrays to torch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def as_tensor(voxels: Any) -> Tensor:
    """Return voxels as a tensor, without a copy where torch can use the array's memory.

    It cannot use negative strides, as in a flipped array, nor a foreign byte order, as in ImageJ's TIFFs.
    """
    if isinstance(voxels, np.ndarray):
        native = voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
        voxels = native if min(native.strides, default=0) >= 0 else native.copy()
    return torch.as_tensor(voxels)
