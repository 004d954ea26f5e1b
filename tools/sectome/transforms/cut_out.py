"""Cuboids of a crop that are hidden from the network, so that it learns to use their surroundings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sectome.checks import check_triple, check_whole_number
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.types import Shape3


def cut_out(images: Tensor, starts: Tensor, stops: Tensor) -> Tensor:
    """Set cuboids to 0, the mean grey of a standardised image.

    Args:
        images: (B, C, Z, Y, X) floats.
        starts: (B, n, 3) integers, first voxel (z, y, x) of each of n cuboids.
        stops: (B, n, 3) integers, one voxel past the last along each axis.

    Returns:
        A new tensor of the same shape and type.
    """
    inside = []
    for axis, length in enumerate(images.shape[2:]):
        at = torch.arange(length, device=images.device)
        first, after = (beside(ends[:, :, axis, None], images) for ends in (starts, stops))
        inside.append((at >= first) & (at < after))
    z, y, x = inside
    plane = y[:, :, None, :, None] & x[:, :, None, None, :]
    hidden = (z[:, :, :, None, None] & plane).any(dim=1)
    return images.masked_fill(hidden[:, None], 0)


class CutOut(Augmentation):
    """Hide 1 to `max_count` cuboids of a crop (DeVries and Taylor 2017, arXiv:1708.04552).

    Args:
        max_count: maximum number of cuboids.
        max_size_voxels: maximum edge lengths of a cuboid (z, y, x); the minimum is a quarter of them.
        prob: probability of hiding any.

    Raises:
        InputError: if an argument is not positive.
    """

    function = staticmethod(cut_out)
    grey_only = True

    def __init__(self, max_count: int = 3, max_size_voxels: Sequence[float] = (6, 32, 32), prob: float = 0.2) -> None:
        super().__init__(prob)
        self.max_count = check_whole_number(max_count, 1, "max_count")
        self.max_size_voxels = check_triple(max_size_voxels, "max_size_voxels")

    def draw(self, shape: Shape3) -> Parameters:
        """Draw the number, sizes and positions of the cuboids."""
        count = 1 + self.R.randint(self.max_count)
        greatest = np.maximum(np.minimum(self.max_size_voxels, shape), 1)
        sizes = np.maximum(self.R.uniform(greatest / 4, greatest, (self.max_count, 3)).round().astype(np.int64), 1)
        starts = (self.R.rand(self.max_count, 3) * (np.array(shape) - sizes + 1)).astype(np.int64)
        # Surplus cuboids are empty: arrays of all crops must have one shape.
        sizes[count:] = 0
        return {"starts": starts, "stops": starts + sizes}


class CutOutd(Augmentationd, of=CutOut):
    """Dictionary version of `CutOut`; labels stay."""
