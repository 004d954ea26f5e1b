"""Narrow parallel stripes in sections: knife marks and curtains of the ion beam."""

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
"""Stripes drawn per section; in a section with more of them, they repeat."""


def add_stripes(
    sections: Tensor, normal: Tensor, period: Tensor, width: Tensor, places: Tensor, strengths: Tensor
) -> Tensor:
    """Add parallel bell-shaped stripes, one per period, each with its own position and strength.

    Args:
        sections: (B, C, n, Y, X) floats.
        normal: (B, n, 2), unit vector (y, x) across the stripes.
        period: (B, n), in voxels.
        width: (B, n), width of a stripe at half its strength, in voxels.
        places: (B, n, S), centre of each stripe within its period, 0 to 1. A stripe ends where its period does.
        strengths: (B, n, S), value added at the centre.

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
    """Add dark and bright stripes to single sections.

    A nick in the diamond knife scratches the section along the cut. Where an ion beam mills the block face, hard spots
    shade what lies behind them, which leaves curtains along the beam.

    Args:
        period_voxels: range of the mean distance between stripes.
        width_voxels: range of a stripe's width.
        strength: range of the maximum strength of a section's stripes, in standard deviations of the image; each stripe
            has its own strength up to this, dark or bright.
        angle_degrees: range of the angle between the stripes and the y axis.
        max_sections: maximum number of affected sections.
        prob: probability of any defect.

    Raises:
        InputError: if an argument is invalid, or stripes may be wider than a third of their period.
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
        """Draw the pattern and the stripes."""
        angle = np.radians(self.R.uniform(*self.angle_degrees))
        return {
            "normal": np.array([np.sin(angle), np.cos(angle)]),
            "period": self.R.uniform(*self.period_voxels),
            "width": self.R.uniform(*self.width_voxels),
            # In the middle third, so that a stripe as wide as a third of its period ends within it.
            "places": self.R.uniform(1 / 3, 2 / 3, STRIPES),
            "strengths": self.R.uniform(*self.strength) * self.R.uniform(-1, 1, STRIPES),
        }


class Stripesd(Augmentationd, of=Stripes):
    """Dictionary version of `Stripes`."""
