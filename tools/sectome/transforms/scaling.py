"""In-plane scaling, separately along y and x: sections shrink, and the knife compresses them."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sectome.checks import InputError, check_range
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.transforms.in_plane import pixel_grid, sample_in_plane
from sectome.types import Shape3


def scale_in_plane(images: Tensor, factors: Tensor) -> Tensor:
    """Scale all sections of each crop about their centre.

    Args:
        images: (B, C, Z, Y, X) floats or integers; see `sample_in_plane`.
        factors: (B, 2), factors along (y, x); 2 makes tissue twice as large.

    Returns:
        A new tensor of the same shape and type.
    """
    grid = pixel_grid(images)
    factors = beside(factors, grid[0])[:, :, None, None]
    middle = [(length - 1) / 2 for length in images.shape[-2:]]
    y, x = ((grid[axis] - middle[axis]) / factors[:, axis] + middle[axis] for axis in range(2))
    shape = (len(images), *images.shape[-2:])
    return sample_in_plane(images, y.expand(shape), x.expand(shape))


class Scaling(Augmentation):
    """Scale a crop in-plane.

    Args:
        factors: range of the factors, drawn log-uniformly, for y and x separately: from (0.9, 1.1), as often above 1 as
            below.
        prob: probability of applying it.

    Raises:
        InputError: if the factors are not a range within [0.5, 2], or can only be 1.
    """

    function = staticmethod(scale_in_plane)

    def __init__(self, factors: tuple[float, float] = (0.9, 1.1), prob: float = 0.3) -> None:
        super().__init__(prob)
        self.factors = check_range(factors, 0.5, 2.0, "factors")
        if self.factors == (1.0, 1.0):
            raise InputError("factors must allow for a change, got (1.0, 1.0)")

    def draw(self, shape: Shape3) -> Parameters:
        """Draw the two factors."""
        return {"factors": np.exp(self.R.uniform(*np.log(self.factors), 2))}


class Scalingd(Augmentationd, of=Scaling):
    """Dictionary version of `Scaling`: labels are scaled with the image."""
