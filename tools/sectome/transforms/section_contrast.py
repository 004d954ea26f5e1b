"""Contrast and brightness of single sections; see `contrast` for whole crops."""

from __future__ import annotations

from torch import Tensor

from sectome.checks import InputError, check_range
from sectome.transforms.augmentation import Augmentationd, Parameters
from sectome.transforms.section_defect import SectionDefect, per_section


def change_section_contrast(sections: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Return ``sections * gain + offset``.

    Args:
        sections: (B, C, n, Y, X) floats, standardised, so that gain does not change the mean grey.
        gain: (B, n) factors.
        offset: (B, n) in standard deviations of the image.
    """
    return sections * per_section(gain, sections) + per_section(offset, sections)


class SectionContrast(SectionDefect):
    """Change the gain and offset of single sections.

    Sections differ in thickness, in the stain that they took up or lost to the beam, and in the microscope's settings
    on the day. A weak section is the low-contrast section of gunpowder's `DefectAugment`.

    Args:
        gain: range of the factor.
        offset: range of the added value, in standard deviations of the image.
        max_sections: maximum number of affected sections.
        prob: probability of any defect.

    Raises:
        InputError: if a range is invalid, a gain is not positive, or nothing can change.
    """

    function = staticmethod(change_section_contrast)
    grey_only = True

    def __init__(
        self,
        gain: tuple[float, float] = (0.3, 1.4),
        offset: tuple[float, float] = (-0.8, 0.8),
        max_sections: int = 4,
        prob: float = 0.3,
    ) -> None:
        super().__init__(max_sections, prob)
        self.gain = check_range(gain, 0.01, 100.0, "gain")
        self.offset = check_range(offset, -10.0, 10.0, "offset")
        if self.gain == (1, 1) and self.offset == (0, 0):
            raise InputError("gain or offset must allow for a change, got (1, 1) and (0, 0)")

    def draw_section(self, shape: tuple[int, int]) -> Parameters:
        """Draw gain and offset."""
        return {"gain": self.R.uniform(*self.gain), "offset": self.R.uniform(*self.offset)}


class SectionContrastd(Augmentationd, of=SectionContrast):
    """Dictionary version of `SectionContrast`."""
