"""What noises share: how strong it is and a seed are drawn for a crop, which makes normal numbers of its size."""

from __future__ import annotations

import torch
from torch import Tensor

from sectome.checks import InputError, check_range
from sectome.transforms.augmentation import Augmentation, Parameters
from sectome.types import Shape3


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


class Noise(Augmentation):
    """Noise of a deviation that is drawn for each crop.

    Args:
        deviation: range of it, in deviations of the image.
        prob: chance that any is added.

    Raises:
        InputError: if the deviations are no range within 0 and 10, or can only be 0.
    """

    grey_only = True
    voxelwise = True

    def __init__(self, deviation: tuple[float, float], prob: float) -> None:
        super().__init__(prob)
        self.deviation = check_range(deviation, 0.0, 10.0, "deviation")
        if self.deviation[1] == 0:
            raise InputError("deviation must allow for noise, got (0.0, 0.0)")

    def draw(self, shape: Shape3) -> Parameters:
        """Draw the deviation, and a seed: one number travels instead of a crop full of them."""
        return {"deviation": self.R.uniform(*self.deviation), "seeds": int(self.R.randint(2**31 - 1))}
