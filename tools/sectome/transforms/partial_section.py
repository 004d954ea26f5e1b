"""Sections of which a part is missing, beyond a line."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sectome.checks import InputError, check_at_least, check_range
from sectome.transforms.augmentation import Augmentationd, Parameters
from sectome.transforms.section_defect import SectionDefect, per_section
from sectome.transforms.wavy_line import distance_to_line, draw_wavy_line


def partial_section(sections: Tensor, distance: Tensor, grey: Tensor) -> Tensor:
    """Take away what lies before a line.

    Args:
        sections: (B, C, n, Y, X) floats.
        distance: (B, n, Y, X) of each voxel to the line; where it is negative the section is missing.
        grey: (B, n), what stands there.

    Returns:
        A new tensor of the same shape and type.
    """
    return torch.where((distance < 0)[:, None], per_section(grey, sections), sections)


class PartialSection(SectionDefect):
    """Lose a part of a section beyond a straight or wavy line.

    A section may break when it is picked up, or lie in part on the bar of its grid or outside the imaged field; once
    aligned, the rest of the plane is empty. Lee et al. 2017 (arXiv:1706.00120) train with sections that are missing.

    Args:
        fraction: range of how far the missing part reaches into the section, as a fraction of its extent there.
        waviness: the greatest slope of the line against a straight one; 0 is straight.
        grey: range of what stands in the missing part. In a standardised image 0 is the mean grey, and what is 0 in the
            file about -3.
        max_sections: the most sections of a crop that have it.
        prob: chance that any has it.

    Raises:
        InputError: if an argument is none of these, or nothing can be missing.
    """

    grey_only = True

    def __init__(
        self,
        fraction: tuple[float, float] = (0.1, 0.7),
        waviness: float = 0.5,
        grey: tuple[float, float] = (-3.0, 0.0),
        max_sections: int = 1,
        prob: float = 0.1,
    ) -> None:
        super().__init__(max_sections, prob)
        self.fraction = check_range(fraction, 0.0, 1.0, "fraction")
        if self.fraction[1] == 0:
            raise InputError("fraction must allow for a missing part, got (0.0, 0.0)")
        self.waviness = check_at_least(waviness, 0, "waviness")
        self.grey = check_range(grey, -100.0, 100.0, "grey")

    def draw_section(self, shape: tuple[int, int]) -> Parameters:
        """Draw the line and the grey."""
        return {**draw_wavy_line(self.R, shape, self.waviness, self.fraction), "grey": self.R.uniform(*self.grey)}

    def change(self, sections: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return what is left of the sections; see `partial_section`."""
        return partial_section(sections, distance_to_line(sections, parameters), parameters["grey"])


class PartialSectiond(Augmentationd, of=PartialSection):
    """Dictionary version of `PartialSection`; labels stay, so that the network learns to bridge the gap."""
