"""Shot noise of counted electrons, stronger where the image is bright."""

from __future__ import annotations

from torch import Tensor

from sectome.transforms.augmentation import Augmentationd
from sectome.transforms.beside import beside
from sectome.transforms.normal_noise import Noise, normal_noise


def add_shot_noise(images: Tensor, deviation: Tensor, seeds: Tensor) -> Tensor:
    """Add noise whose variance grows linearly with brightness, from 0 at the darkest voxel of a crop.

    This is the normal limit of the Poisson distribution, close enough from tens of electrons on. It needs no unit of
    counts, which a standardised image has lost.

    Args:
        images: (B, C, Z, Y, X) floats.
        deviation: (B,) standard deviations of the noise at the mean grey of the crop.
        seeds: (B,) integers; see `normal_noise`.

    Returns:
        A new tensor of the same shape and type.
    """
    brightness = images - images.amin(dim=(1, 2, 3, 4), keepdim=True)
    mean = brightness.mean(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1e-6)
    strength = brightness.div_(mean).sqrt_().mul_(beside(deviation, images)[:, None, None, None, None])
    return normal_noise(images, seeds).mul_(strength).add_(images)


class ShotNoise(Noise):
    """Add the noise of a shorter exposure to a crop.

    Args:
        deviation: range of its standard deviation at the mean grey, in standard deviations of the image.
        prob: probability of adding it.
    """

    function = staticmethod(add_shot_noise)

    def __init__(self, deviation: tuple[float, float] = (0.0, 0.3), prob: float = 0.2) -> None:
        super().__init__(deviation, prob)


class ShotNoised(Augmentationd, of=ShotNoise):
    """Dictionary version of `ShotNoise`."""
