"""Power-law change of grey values, like that of another detector or stain."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sectome.checks import InputError, check_range
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.types import Shape3


def bend_grey_values(images: Tensor, exponents: Tensor) -> Tensor:
    """Apply a power law to grey values; the darkest and the brightest of each crop do not change.

    Args:
        images: (B, C, Z, Y, X) floats.
        exponents: (B,); above 1 darkens the middle greys.

    Returns:
        A new tensor of the same shape and type.
    """
    darkest = images.amin(dim=(1, 2, 3, 4), keepdim=True)
    extent = (images.amax(dim=(1, 2, 3, 4), keepdim=True) - darkest).clamp(min=1e-6)
    exponents = beside(exponents, images)[:, None, None, None, None]
    return ((images - darkest) / extent).pow(exponents) * extent + darkest


class Gamma(Augmentation):
    """Change the grey values of a crop by a power law.

    Args:
        exponents: range of the exponent, drawn log-uniformly: from (0.7, 1.4), as often above 1 as below.
        prob: probability of applying it.

    Raises:
        InputError: if the exponents are not a range within [0.1, 10], or can only be 1.
    """

    function = staticmethod(bend_grey_values)
    grey_only = True
    voxelwise = True

    def __init__(self, exponents: tuple[float, float] = (0.7, 1.4), prob: float = 0.3) -> None:
        super().__init__(prob)
        self.exponents = check_range(exponents, 0.1, 10.0, "exponents")
        if self.exponents == (1.0, 1.0):
            raise InputError("exponents must allow for a change, got (1.0, 1.0)")

    def draw(self, shape: Shape3) -> Parameters:
        """Draw the exponent."""
        return {"exponents": np.exp(self.R.uniform(*np.log(self.exponents)))}


class Gammad(Augmentationd, of=Gamma):
    """Dictionary version of `Gamma`."""
