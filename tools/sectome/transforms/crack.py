"""Sections torn along a line: a gap without tissue."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sectome.checks import check_at_least, check_range
from sectome.transforms.augmentation import Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.transforms.section_defect import SectionDefect
from sectome.transforms.wavy_line import distance_to_line, draw_wavy_line, sample_across


def crack(
    sections: Tensor, distance: Tensor, normal: Tensor, width: Tensor, value: Tensor, reach_voxels: float = 40.0
) -> Tensor:
    """Push the tissue on both sides of a line apart and fill the gap.

    Args:
        sections: (B, C, n, Y, X). Floats are an image. Integers are labels, which become 0 (background) in the gap.
        distance: (B, n, Y, X), signed distance from the line along its normal, in voxels.
        normal: (B, n, 2), unit normal (y, x) of the line.
        width: (B, n), width of the gap in voxels.
        value: (B, n), grey value of the gap in an image.
        reach_voxels: distance at which the push has fallen to 1 / e: alignment has put distant tissue in its place.

    Returns:
        A new tensor of the same shape and type.
    """
    width, value = (beside(one, distance)[..., None, None] for one in (width, value))
    beyond = distance.abs() - width / 2
    push = torch.minimum(width / 2 * torch.exp(-beyond / reach_voxels), distance.abs())
    moved = sample_across(sections, normal, torch.where(distance < 0, push, -push))
    if not sections.is_floating_point():
        return moved.masked_fill((beyond < 0)[:, None], 0)
    # A voxel that the edge crosses is part gap, part tissue.
    gap = (0.5 - beyond).clamp(0, 1).to(moved.dtype)[:, None]
    return moved.lerp(value.to(moved.dtype)[:, None].expand_as(moved), gap)


class Crack(SectionDefect):
    """Tear single sections apart along a wavy line.

    Sections crack when they dry, when their support stretches, or under the beam. No tissue is lost, but the two sides
    move apart, and alignment brings back only tissue that lies farther away.

    Args:
        width_voxels: range of the gap's width.
        value: range of the gap's grey value, in standard deviations of the image. The default is bright, like resin or
            a beam that nothing stops; use a negative range where the support is dark.
        reach_voxels: how far from the crack tissue is displaced.
        waviness: maximum slope of the waves; 0 is a straight line.
        max_sections: maximum number of affected sections.
        prob: probability of any defect.

    Raises:
        InputError: if an argument is invalid.
    """

    def __init__(
        self,
        width_voxels: tuple[float, float] = (2.0, 20.0),
        value: tuple[float, float] = (1.5, 3.0),
        reach_voxels: float = 40.0,
        waviness: float = 0.6,
        max_sections: int = 1,
        prob: float = 0.1,
    ) -> None:
        super().__init__(max_sections, prob)
        self.width_voxels = check_range(width_voxels, 1.0, 1e4, "width_voxels")
        self.value = check_range(value, -100.0, 100.0, "value")
        self.reach_voxels = check_at_least(reach_voxels, 1, "reach_voxels")
        self.waviness = check_at_least(waviness, 0, "waviness")

    def draw_section(self, shape: tuple[int, int]) -> Parameters:
        """Draw the line, and the gap's width and grey value."""
        return {
            **draw_wavy_line(self.R, shape, self.waviness, (0.2, 0.8)),
            "width": self.R.uniform(*self.width_voxels),
            "value": self.R.uniform(*self.value),
        }

    def change(self, sections: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the torn sections; see `crack`."""
        distance = distance_to_line(sections, parameters)
        normal, width, value = (parameters[name] for name in ("normal", "width", "value"))
        return crack(sections, distance, normal, width, value, self.reach_voxels)


class Crackd(Augmentationd, of=Crack):
    """Dictionary version of `Crack`: labels move with the image, and are 0 in the gap."""
