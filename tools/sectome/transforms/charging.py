"""Bright clouds with a tail along the scan: sections that charge up under the beam."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sectome.checks import check_range, check_whole_number
from sectome.transforms.augmentation import Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.transforms.in_plane import pixel_grid
from sectome.transforms.section_defect import SectionDefect

ROW_DEVIATION = 0.25
"""Relative standard deviation of a cloud's strength between scan lines."""


def add_charging(
    sections: Tensor, middles: Tensor, sizes: Tensor, tails: Tensor, strengths: Tensor, rows: Tensor
) -> Tensor:
    """Add clouds: Gaussians that are drawn out along x on one side of their centre.

    Args:
        sections: (B, C, n, Y, X) floats, scanned along x.
        middles: (B, n, K, 2), brightest voxel (y, x) of each of K clouds.
        sizes: (B, n, K), standard deviation in voxels along y, and along x before the centre.
        tails: (B, n, K), standard deviation in voxels along x behind the centre, which is towards larger x if positive.
        strengths: (B, n, K), value added at the centre.
        rows: (B, n, Y), factor of each scan line.

    Returns:
        A new tensor of the same shape and type.
    """
    y, x = (grid.flatten() for grid in pixel_grid(sections))
    middle_y, middle_x = (part[..., None] for part in beside(middles, y).unbind(-1))
    size, tail, strength = (beside(one, y)[..., None] for one in (sizes, tails, strengths))
    behind = (x - middle_x) * tail.sign()
    along = behind / torch.where(behind > 0, tail.abs(), size)
    across = (y - middle_y) / size
    lines = strength * beside(rows, y)[:, :, None] * torch.exp(-0.5 * across**2)
    clouds = lines.transpose(-1, -2) @ torch.exp(-0.5 * along**2)
    return sections + clouds.to(sections.dtype)[:, None]


class Charging(SectionDefect):
    """Add bright clouds to single sections, with a tail along the scan, x.

    In a scanning microscope, charge gathers where unstained resin, a vessel or a hole conducts it badly. More secondary
    electrons then leave, and the signal recovers only as the beam moves on.

    Args:
        strength: range of the added value, in standard deviations of the image.
        size_voxels: range of a cloud's size, the standard deviation of a Gaussian; small ones are bands.
        tail_voxels: range of the tail's length, also a standard deviation.
        max_count: maximum number of clouds per section.
        max_sections: maximum number of affected sections.
        prob: probability of any defect.

    Raises:
        InputError: if an argument is invalid.
    """

    function = staticmethod(add_charging)
    grey_only = True

    def __init__(
        self,
        strength: tuple[float, float] = (1.0, 3.0),
        size_voxels: tuple[float, float] = (4.0, 24.0),
        tail_voxels: tuple[float, float] = (24.0, 160.0),
        max_count: int = 3,
        max_sections: int = 1,
        prob: float = 0.1,
    ) -> None:
        super().__init__(max_sections, prob)
        self.strength = check_range(strength, 0.01, 100.0, "strength")
        self.size_voxels = check_range(size_voxels, 0.5, 1e4, "size_voxels")
        self.tail_voxels = check_range(tail_voxels, 0.5, 1e4, "tail_voxels")
        self.max_count = check_whole_number(max_count, 1, "max_count")

    def draw_section(self, shape: tuple[int, int]) -> Parameters:
        """Draw the clouds, the direction of their tails, and the factors of the scan lines."""
        strengths = self.R.uniform(*self.strength, self.max_count)
        # Surplus clouds get no strength: arrays of all sections must have one shape.
        strengths[1 + self.R.randint(self.max_count) :] = 0
        return {
            "middles": self.R.rand(self.max_count, 2) * (np.array(shape) - 1),
            "sizes": self.R.uniform(*self.size_voxels, self.max_count),
            "tails": self.R.choice([-1, 1]) * self.R.uniform(*self.tail_voxels, self.max_count),
            "strengths": strengths,
            "rows": 1 + ROW_DEVIATION * self.R.standard_normal(shape[0]),
        }


class Chargingd(Augmentationd, of=Charging):
    """Dictionary version of `Charging`."""
