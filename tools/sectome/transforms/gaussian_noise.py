"""Gaussian noise of the same strength everywhere, as amplifiers add it."""

from __future__ import annotations

import torch
from torch import Tensor

from sectome.transforms.augmentation import Augmentationd
from sectome.transforms.beside import beside
from sectome.transforms.normal_noise import Noise, normal_noise


def add_gaussian_noise(images: Tensor, deviation: Tensor, seeds: Tensor) -> Tensor:
    """Add Gaussian noise.

    Args:
        images: (B, C, Z, Y, X) floats.
        deviation: (B,) standard deviations of the noise, in the images' grey values.
        seeds: (B,) integers; see `normal_noise`.

    Returns:
        A new tensor of the same shape and type.
    """
    strength = beside(deviation, images)[:, None, None, None, None]
    return torch.addcmul(images, normal_noise(images, seeds), strength)


class GaussianNoise(Noise):
    """Add Gaussian noise to a crop.

    Args:
        deviation: range of its standard deviation, in standard deviations of the image.
        prob: probability of adding it.
    """

    function = staticmethod(add_gaussian_noise)

    def __init__(self, deviation: tuple[float, float] = (0.0, 0.2), prob: float = 0.3) -> None:
        super().__init__(deviation, prob)


class GaussianNoised(Augmentationd, of=GaussianNoise):
    """Dictionary version of `GaussianNoise`."""
