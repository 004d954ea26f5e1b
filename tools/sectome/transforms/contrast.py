"""Contrast and brightness of a whole crop; see `section_contrast` for single sections."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from sectome.checks import InputError, check_range
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.types import Shape3


def change_contrast(images: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Return ``images * gain + offset``.

    Args:
        images: (B, C, Z, Y, X) floats, standardised, so gain does not change the mean grey. Integers become floats.
        gain: (B,) factors.
        offset: (B,) in standard deviations of the image.
    """
    gain, offset = (beside(one, images)[:, None, None, None, None] for one in (gain, offset))
    return torch.addcmul(offset, images, gain)


class Contrast(Augmentation):
    """Change the gain and offset of a crop.

    Args:
        gain: range of the factor.
        offset: range of the added value, in standard deviations of the image.
        prob: probability of applying it.

    Raises:
        InputError: if a range is invalid, a gain is not positive, or nothing can change.
    """

    function = staticmethod(change_contrast)
    grey_only = True
    voxelwise = True
    neutral: ClassVar[Parameters] = {"gain": 1.0, "offset": 0.0}

    def __init__(
        self, gain: tuple[float, float] = (0.8, 1.2), offset: tuple[float, float] = (-0.2, 0.2), prob: float = 0.5
    ) -> None:
        super().__init__(prob)
        self.gain = check_range(gain, 0.01, 100.0, "gain")
        self.offset = check_range(offset, -10.0, 10.0, "offset")
        if self.gain == (1, 1) and self.offset == (0, 0):
            raise InputError("gain or offset must allow for a change, got (1, 1) and (0, 0)")

    def draw(self, shape: Shape3) -> Parameters:
        """Draw gain and offset."""
        return {"gain": self.R.uniform(*self.gain), "offset": self.R.uniform(*self.offset)}


class Contrastd(Augmentationd, of=Contrast):
    """Dictionary version of `Contrast`."""
