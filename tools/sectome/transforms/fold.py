"""Sections that are folded along a line: a dark band that hides some tissue."""

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
"""How much of what lies under the band it hides: three layers of tissue blur into one grey."""


def fold(
    sections: Tensor,
    distance: Tensor,
    normal: Tensor,
    hidden: Tensor,
    width: Tensor,
    darkness: Tensor,
    reach_voxels: float = 40.0,
) -> Tensor:
    """Pull the tissue on both sides of a line together over a strip that it hides, and darken a band along the line.

    Args:
        sections: (B, C, n, Y, X). Floats are an image; integers are labels, which move and are not darkened: to both
            sides of the line, under the band, they name the tissue that was pulled there.
        distance: (B, n, Y, X) of each voxel to the line along the normal.
        normal: (B, n, 2) of the line along (y, x), of length 1.
        hidden: (B, n) voxels, the width of the strip that disappears.
        width: (B, n) voxels of the band.
        darkness: (B, n), the band is this far below 0, the mean grey of a standardised image.
        reach_voxels: where the pull has fallen to 1 / e; tissue far from a fold is where alignment put it.

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

    A section that does not lie flat when it is picked up from the water gets folds: a strip of tissue lies three times
    over itself, too thick for the beam. Alignment brings the rest back to its place, so that tissue is stretched
    towards the fold. gunpowder's `DefectAugment` models it as a shift towards a line, for images; here labels that are
    among the keys move too.

    Args:
        hidden_voxels: range of the width of the strip of tissue that disappears.
        width_voxels: range of the width of the dark band.
        darkness: range of how far below the mean grey the band is, in deviations of the image.
        reach_voxels: how far from the fold tissue is stretched.
        waviness: the greatest slope of the line against a straight one; 0 is straight.
        max_sections: the most sections of a crop that have it.
        prob: chance that any has it.

    Raises:
        InputError: if an argument is none of these, or the reach is less than what is hidden: tissue next to the fold
            would be stretched more than twofold.
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
        """Draw the line and the fold."""
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
