"""Sections with a part missing on one side of a line."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sectome.checks import InputError, check_at_least, check_range
from sectome.transforms.augmentation import Augmentationd, Parameters
from sectome.transforms.section_defect import SectionDefect, per_section
from sectome.transforms.wavy_line import distance_to_line, draw_wavy_line


def partial_section(sections: Tensor, distance: Tensor, grey: Tensor) -> Tensor:
    """Replace the part before a line by one grey value.

    Args:
        sections: (B, C, n, Y, X) floats.
        distance: (B, n, Y, X), signed distance from the line; the section is missing where it is negative.
        grey: (B, n), grey value of the missing part.

    Returns:
        A new tensor of the same shape and type.
    """
    return torch.where((distance < 0)[:, None], per_section(grey, sections), sections)


class PartialSection(SectionDefect):
    """Remove a part of single sections, up to a straight or wavy line.

    A section may break when it is picked up, or lie partly on the bar of its grid or outside the imaged field. After
    alignment, the rest of its plane is empty. Lee et al. 2017 (arXiv:1706.00120) train with missing sections.

    Args:
        fraction: range of the missing part's extent, as a fraction of the section's extent across the line.
        waviness: maximum slope of the waves; 0 is a straight line.
        grey: range of the missing part's grey value. In a standardised image, 0 is the mean grey, and 0 in the file
            about -3.
        max_sections: maximum number of affected sections.
        prob: probability of any defect.

    Raises:
        InputError: if an argument is invalid, or nothing can be missing.
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
        """Draw the line and the grey value."""
        return {**draw_wavy_line(self.R, shape, self.waviness, self.fraction), "grey": self.R.uniform(*self.grey)}

    def change(self, sections: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the sections with a part missing; see `partial_section`."""
        return partial_section(sections, distance_to_line(sections, parameters), parameters["grey"])


class PartialSectiond(Augmentationd, of=PartialSection):
    """Dictionary version of `PartialSection`; labels stay, so that the network learns to bridge the gap."""
