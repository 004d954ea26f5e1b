"""Lost sections, replaced in the volume by one grey value or a copy of a neighbour."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from sectome.checks import check_choice, check_range, check_whole_number
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.transforms.section_defect import draw_sections, per_section, put_sections, take_sections
from sectome.types import Shape3

Fill = Literal["flat", "neighbour", "either"]
FILLS: tuple[Fill, ...] = get_args(Fill)


def missing_sections(images: Tensor, sections: Tensor, sources: Tensor, grey: Tensor) -> Tensor:
    """Replace sections by copies of others or by one grey value.

    Args:
        images: (B, C, Z, Y, X).
        sections: (B, n) integers, numbers of the lost sections.
        sources: (B, n) integers, number of the section that replaces each, or -1 for none.
        grey: (B, n), grey value where there is none.

    Returns:
        A new tensor of the same shape and type.
    """
    values = take_sections(images, sources.clamp(min=0))
    lost = beside(sources < 0, images)[:, None, :, None, None]
    return put_sections(images, sections, torch.where(lost, per_section(grey, images), values))


class MissingSection(Augmentation):
    """Lose 1 to `max_sections` sections of a crop, adjacent or not (Lee et al. 2017, arXiv:1706.00120).

    Args:
        fill: replacement: one "flat" grey value, a copy of the nearest section that is not lost ("neighbour"), or
            "either".
        grey: range of the flat grey value. In a standardised image, 0 is the mean grey, and 0 in the file about -3.
        max_sections: maximum number of lost sections.
        prob: probability of losing any.

    Raises:
        InputError: if an argument is invalid.
    """

    function = staticmethod(missing_sections)
    grey_only = True

    def __init__(
        self,
        fill: Fill = "either",
        grey: tuple[float, float] = (-3.0, 0.0),
        max_sections: int = 1,
        prob: float = 0.2,
    ) -> None:
        super().__init__(prob)
        self.fill = check_choice(fill, FILLS, "fill")
        self.grey = check_range(grey, -100.0, 100.0, "grey")
        self.max_sections = check_whole_number(max_sections, 1, "max_sections")

    def draw(self, shape: Shape3) -> Parameters:
        """Draw which sections are lost and what replaces them."""
        sections, repeats = draw_sections(self.R, shape[0], self.max_sections)
        copied = self.R.rand(self.max_sections)[repeats] < {"flat": 0.0, "neighbour": 1.0, "either": 0.5}[self.fill]
        grey = self.R.uniform(*self.grey, self.max_sections)[repeats]
        intact = np.setdiff1d(np.arange(shape[0]), sections)
        if not len(intact):
            return {"sections": sections, "sources": np.full(self.max_sections, -1), "grey": grey}
        nearest = intact[np.abs(intact[None] - sections[:, None]).argmin(axis=1)]
        return {"sections": sections, "sources": np.where(copied, nearest, -1), "grey": grey}


class MissingSectiond(Augmentationd, of=MissingSection):
    """Dictionary version of `MissingSection`; labels stay, so that the network learns to bridge the gap."""
