"""Noise of the same strength everywhere, as amplifiers add it."""

from __future__ import annotations

import torch
from torch import Tensor

from sectome.transforms.augmentation import Augmentationd
from sectome.transforms.beside import beside
from sectome.transforms.normal_noise import Noise, normal_noise


def add_gaussian_noise(images: Tensor, deviation: Tensor, seeds: Tensor) -> Tensor:
    """Add normal noise.

    Args:
        images: (B, C, Z, Y, X) floats.
        deviation: (B,), in deviations of the image when that is standardised.
        seeds: (B,) integers, see `normal_noise`.

    Returns:
        A new tensor of the same shape and type.
    """
    strength = beside(deviation, images)[:, None, None, None, None]
    return torch.addcmul(images, normal_noise(images, seeds), strength)


class GaussianNoise(Noise):
    """Add normal noise to a crop.

    Args:
        deviation: range of the noise's deviation, in deviations of the image.
        prob: chance that any is added.
    """

    function = staticmethod(add_gaussian_noise)

    def __init__(self, deviation: tuple[float, float] = (0.0, 0.2), prob: float = 0.3) -> None:
        super().__init__(deviation, prob)


class GaussianNoised(Augmentationd, of=GaussianNoise):
    """Dictionary version of `GaussianNoise`."""
