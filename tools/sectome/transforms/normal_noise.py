"""Base of noise transforms: strength and seed are drawn for a crop, and the seed generates its noise."""

from __future__ import annotations

import torch
from torch import Tensor

from sectome.checks import InputError, check_range
from sectome.transforms.augmentation import Augmentation, Parameters
from sectome.types import Shape3


def normal_noise(images: Tensor, seeds: Tensor) -> Tensor:
    """Return standard normal noise with the shape and type of a batch (B, ...), on its device.

    Args:
        images: (B, ...) floats.
        seeds: (B,) integers. A crop's noise depends on its seed, not on the batch. It differs between kinds of device.
    """
    noise = torch.empty_like(images, memory_format=torch.contiguous_format)
    generator = torch.Generator(images.device)
    for crop, seed in zip(noise, seeds.tolist(), strict=True):
        crop.normal_(generator=generator.manual_seed(seed))
    return noise


class Noise(Augmentation):
    """Noise with a standard deviation that is drawn for each crop.

    Args:
        deviation: range of the standard deviation, in standard deviations of the image.
        prob: probability of adding it.

    Raises:
        InputError: if the deviations are not a range within [0, 10], or can only be 0.
    """

    grey_only = True
    voxelwise = True

    def __init__(self, deviation: tuple[float, float], prob: float) -> None:
        super().__init__(prob)
        self.deviation = check_range(deviation, 0.0, 10.0, "deviation")
        if self.deviation[1] == 0:
            raise InputError("deviation must allow for noise, got (0.0, 0.0)")

    def draw(self, shape: Shape3) -> Parameters:
        """Draw the deviation and a seed, which is far smaller to transfer than the noise."""
        return {"deviation": self.R.uniform(*self.deviation), "seeds": int(self.R.randint(2**31 - 1))}
