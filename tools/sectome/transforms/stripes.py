"""Narrow parallel stripes in sections: marks of the knife, curtains of the ion beam."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sectome.checks import InputError, check_range
from sectome.transforms.augmentation import Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.transforms.in_plane import pixel_grid
from sectome.transforms.section_defect import SectionDefect

STRIPES = 64
"""Stripes that are drawn; in a section with more they come again."""


def add_stripes(
    sections: Tensor, normal: Tensor, period: Tensor, width: Tensor, places: Tensor, strengths: Tensor
) -> Tensor:
    """Add parallel stripes, one a period, each bell-shaped, at a place and of a strength of its own.

    Args:
        sections: (B, C, n, Y, X) floats.
        normal: (B, n, 2), the direction (y, x) across the stripes, of length 1.
        period: (B, n) voxels.
        width: (B, n) voxels, of a stripe at half its strength.
        places: (B, n, S), where in its period each stripe has its middle, 0 to 1. A stripe ends where its period does.
        strengths: (B, n, S), what is added there.

    Returns:
        A new tensor of the same shape and type.
    """
    y, x = pixel_grid(sections)
    normal_y, normal_x = (part[..., None, None] for part in beside(normal, y).unbind(-1))
    period, width = (beside(one, y)[..., None, None] for one in (period, width))
    across = (normal_y * y + normal_x * x) / period
    number = across.floor()
    index = number.long().remainder(places.shape[-1])
    place, strength = (
        beside(values, y).gather(-1, index.flatten(2)).reshape(index.shape) for values in (places, strengths)
    )
    apart = (across - number - place).abs() * period / width
    stripes = strength * (0.5 + 0.5 * torch.cos(torch.pi * apart.clamp(max=1)))
    return sections + stripes.to(sections.dtype)[:, None]


class Stripes(SectionDefect):
    """Draw dark and bright stripes across single sections.

    A nick in the diamond knife scratches the section it cuts, along the cut; where an ion beam mills the block face,
    hard spots shade what lies behind them, and the face has curtains along the beam.

    Args:
        period_voxels: range of the mean distance between stripes.
        width_voxels: range of a stripe's width.
        strength: range of the greatest strength of a section's stripes, in deviations of the image; each has its own
            up to that, dark or bright.
        angle_degrees: range of the angle of the stripes against the y axis.
        max_sections: the most sections of a crop that have it.
        prob: chance that any has it.

    Raises:
        InputError: if an argument is none of these, or stripes may be wider than a third of their period.
    """

    function = staticmethod(add_stripes)
    grey_only = True

    def __init__(
        self,
        period_voxels: tuple[float, float] = (12.0, 40.0),
        width_voxels: tuple[float, float] = (1.0, 4.0),
        strength: tuple[float, float] = (0.6, 2.0),
        angle_degrees: tuple[float, float] = (0.0, 180.0),
        max_sections: int = 1,
        prob: float = 0.1,
    ) -> None:
        super().__init__(max_sections, prob)
        self.period_voxels = check_range(period_voxels, 1.0, 1e4, "period_voxels")
        self.width_voxels = check_range(width_voxels, 0.5, 1e4, "width_voxels")
        if self.period_voxels[0] < 3 * self.width_voxels[1]:
            raise InputError(
                f"period_voxels must be at least three times width_voxels, got {self.period_voxels} and "
                f"{self.width_voxels}"
            )
        self.strength = check_range(strength, 0.01, 100.0, "strength")
        self.angle_degrees = check_range(angle_degrees, -360.0, 360.0, "angle_degrees")

    def draw_section(self, shape: tuple[int, int]) -> Parameters:
        """Draw the pattern and each stripe."""
        angle = np.radians(self.R.uniform(*self.angle_degrees))
        return {
            "normal": np.array([np.sin(angle), np.cos(angle)]),
            "period": self.R.uniform(*self.period_voxels),
            "width": self.R.uniform(*self.width_voxels),
            # Within the middle third, so that a stripe as wide as a third of its period ends within it.
            "places": self.R.uniform(1 / 3, 2 / 3, STRIPES),
            "strengths": self.R.uniform(*self.strength) * self.R.uniform(-1, 1, STRIPES),
        }


class Stripesd(Augmentationd, of=Stripes):
    """Dictionary version of `Stripes`."""
