"""Random numbers of a crop's size, from a seed that was drawn for it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def draw_seed(random: np.random.RandomState) -> int:
    """Draw the seed of a crop's noise: one number travels instead of a crop full of them."""
    return int(random.randint(2**31 - 1))


def normal_noise(images: Tensor, seeds: Tensor) -> Tensor:
    """Return standard normal numbers of the shape, the type and on the device of a batch (B, ...).

    Args:
        images: (B, ...) floats.
        seeds: (B,) integers. A crop's noise follows from its seed, whatever batch it is in; on another kind of device
            the numbers are others.
    """
    noise = torch.empty_like(images, memory_format=torch.contiguous_format)
    generator = torch.Generator(images.device)
    for crop, seed in zip(noise, seeds.tolist(), strict=True):
        crop.normal_(generator=generator.manual_seed(seed))
    return noise
