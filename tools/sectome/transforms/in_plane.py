"""In-plane resampling, shared by all transforms that move tissue within its section."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def pixel_grid(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the coordinates y (1, Y, 1) and x (1, 1, X) of images (..., Y, X), float32 on their device."""
    height, width = images.shape[-2:]
    y = torch.arange(height, dtype=torch.float32, device=images.device)
    x = torch.arange(width, dtype=torch.float32, device=images.device)
    return y[None, :, None], x[None, None, :]


def sample_in_plane(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Resample a batch in-plane, at the same positions in all sections of a crop.

    Floats are interpolated bilinearly. Integers are ids and are taken from the nearest voxel. Beyond its border, a
    section continues as its mirror image.

    Args:
        images: (B, C, Z, Y, X).
        y: (B, Y, X), y position to sample at, in voxels.
        x: (B, Y, X), x position.
    """
    batch, channels, depth, height, width = images.shape
    flat = images.reshape(batch, channels * depth, height, width)
    y, x = mirror(y, height), mirror(x, width)
    if images.is_floating_point():
        grid = torch.stack([_as_fraction(x, width), _as_fraction(y, height)], dim=-1)
        # In half precision, positions are off by a good part of a voxel. grid_sample needs the same type for both.
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
    """Return positions reflected into [0, length - 1] at the first and the last voxel."""
    if length == 1:
        return torch.zeros_like(positions)
    folded = positions.remainder(2 * (length - 1))
    return torch.minimum(folded, 2 * (length - 1) - folded)


def _as_fraction(positions: Tensor, length: int) -> Tensor:
    """Return positions in the coordinates of grid_sample: -1 is the first voxel, 1 the last."""
    return positions * (2 / max(length - 1, 1)) - 1
