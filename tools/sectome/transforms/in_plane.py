"""Looking up voxels elsewhere in their sections: what every transform that moves tissue sideways does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def pixel_grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the y (1, Y, 1) and x (1, 1, X) of the voxels of images (..., Y, X), float32 on their device."""
    height, width = images.shape[-2:]
    y = torch.arange(height, dtype=torch.float32, device=images.device)
    x = torch.arange(width, dtype=torch.float32, device=images.device)
    return y[None, :, None], x[None, None, :]


def sample_in_plane(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return the batch with each voxel taken from elsewhere in its section, the same for all sections of a crop.

    Floats are interpolated linearly; integers are ids and come from the nearest voxel. Beyond its border a section
    goes on as its mirror image, labels as the image.

    Args:
        images: (B, C, Z, Y, X).
        y: (B, Y, X), where to look, in voxels.
        x: (B, Y, X), the same along x.
    """
    batch, channels, depth, height, width = images.shape
    flat = images.reshape(batch, channels * depth, height, width)
    y, x = mirror(y, height), mirror(x, width)
    if images.is_floating_point():
        grid = torch.stack([_as_fraction(x, width), _as_fraction(y, height)], dim=-1)
        # In half precision places are off by a good part of a voxel, and torch wants one type of both.
        wide = torch.promote_types(images.dtype, grid.dtype)
        moved = F.grid_sample(
            flat.to(wide), grid.to(wide), mode="bilinear", padding_mode="border", align_corners=True
        ).to(images.dtype)
    else:
        nearest = y.round().long() * width + x.round().long()
        index = nearest.flatten(1)[:, None].expand(-1, channels * depth, -1)
        moved = flat.flatten(2).gather(2, index)
    return moved.reshape(images.shape)


def mirror(positions: Tensor, length: int) -> Tensor:
    """Return positions folded back into 0 to length - 1, as mirrors at the first and the last voxel would."""
    if length == 1:
        return torch.zeros_like(positions)
    folded = positions.remainder(2 * (length - 1))
    return torch.minimum(folded, 2 * (length - 1) - folded)


def _as_fraction(positions: Tensor, length: int) -> Tensor:
    """Return positions as grid_sample takes them: -1 is the first voxel, 1 the last."""
    return positions * (2 / max(length - 1, 1)) - 1
