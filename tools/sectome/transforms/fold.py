"""Sections folded along a line: a dark band that hides some tissue."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sectome.checks import check_at_least, check_range
from sectome.transforms.augmentation import Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.transforms.section_defect import SectionDefect
from sectome.transforms.wavy_line import distance_to_line, draw_wavy_line, sample_across

OPACITY = 0.85
"""Opacity of the band: its three layers of tissue blur into one grey."""


def fold(
    sections: Tensor,
    distance: Tensor,
    normal: Tensor,
    hidden: Tensor,
    width: Tensor,
    darkness: Tensor,
    reach_voxels: float = 40.0,
) -> Tensor:
    """Pull the tissue on both sides of a line together, so that a strip disappears, and darken a band along the line.

    Args:
        sections: (B, C, n, Y, X). Floats are an image. Integers are labels, which move but are not darkened: under the
            band, they name the tissue that was pulled there from each side.
        distance: (B, n, Y, X), signed distance from the line along its normal, in voxels.
        normal: (B, n, 2), unit normal (y, x) of the line.
        hidden: (B, n), width in voxels of the strip that disappears.
        width: (B, n), width of the band in voxels.
        darkness: (B, n), how far the band lies below 0, the mean grey of a standardised image.
        reach_voxels: distance at which the pull has fallen to 1 / e: alignment has put distant tissue in its place.

    Returns:
        A new tensor of the same shape and type.
    """
    hidden, width, darkness = (beside(one, distance)[..., None, None] for one in (hidden, width, darkness))
    pull = hidden / 2 * torch.exp(-distance.abs() / reach_voxels)
    moved = sample_across(sections, normal, torch.where(distance < 0, -pull, pull))
    if not sections.is_floating_point():
        return moved
    band = OPACITY * torch.exp(-((2 * distance / width) ** 4))
    return moved.lerp((-darkness).to(moved.dtype)[:, None].expand_as(moved), band.to(moved.dtype)[:, None])


class Fold(SectionDefect):
    """Fold single sections along a wavy line.

    A section that does not lie flat when it is picked up from the water gets folds: a strip of tissue lies in three
    layers, too thick for the beam. Alignment brings the rest back into place, which stretches tissue towards the fold.
    gunpowder's `DefectAugment` models a fold of images as a shift towards a line. Here, labels among the keys move too.

    Args:
        hidden_voxels: range of the width of the strip of tissue that disappears.
        width_voxels: range of the dark band's width.
        darkness: range of how far the band lies below the mean grey, in standard deviations of the image.
        reach_voxels: how far from the fold tissue is stretched.
        waviness: maximum slope of the waves; 0 is a straight line.
        max_sections: maximum number of affected sections.
        prob: probability of any defect.

    Raises:
        InputError: if an argument is invalid, or the reach is less than the hidden width, so that tissue next to the
            fold would be stretched more than twofold.
    """

    def __init__(
        self,
        hidden_voxels: tuple[float, float] = (4.0, 24.0),
        width_voxels: tuple[float, float] = (6.0, 24.0),
        darkness: tuple[float, float] = (1.5, 3.0),
        reach_voxels: float = 40.0,
        waviness: float = 0.3,
        max_sections: int = 1,
        prob: float = 0.1,
    ) -> None:
        super().__init__(max_sections, prob)
        self.hidden_voxels = check_range(hidden_voxels, 0.0, 1e4, "hidden_voxels")
        self.width_voxels = check_range(width_voxels, 1.0, 1e4, "width_voxels")
        self.darkness = check_range(darkness, 0.0, 100.0, "darkness")
        self.reach_voxels = check_at_least(reach_voxels, max(self.hidden_voxels[1], 1), "reach_voxels (hidden_voxels)")
        self.waviness = check_at_least(waviness, 0, "waviness")

    def draw_section(self, shape: tuple[int, int]) -> Parameters:
        """Draw the line, the hidden strip and the band."""
        return {
            **draw_wavy_line(self.R, shape, self.waviness, (0.2, 0.8)),
            "hidden": self.R.uniform(*self.hidden_voxels),
            "width": self.R.uniform(*self.width_voxels),
            "darkness": self.R.uniform(*self.darkness),
        }

    def change(self, sections: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the folded sections; see `fold`."""
        distance = distance_to_line(sections, parameters)
        normal, hidden, width, darkness = (parameters[name] for name in ("normal", "hidden", "width", "darkness"))
        return fold(sections, distance, normal, hidden, width, darkness, self.reach_voxels)


class Foldd(Augmentationd, of=Fold):
    """Dictionary version of `Fold`: labels move with the image, and are not darkened."""
