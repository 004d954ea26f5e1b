"""Contrast and brightness of single sections; `contrast` is about a whole crop."""

from __future__ import annotations

from torch import Tensor

from sectome.checks import InputError, check_range
from sectome.transforms.augmentation import Augmentationd, Parameters
from sectome.transforms.section_defect import SectionDefect, per_section


def change_section_contrast(sections: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Return ``sections * gain + offset``.

    Args:
        sections: (B, C, n, Y, X) floats, standardised: gain leaves the mean grey where it is.
        gain: (B, n) factors.
        offset: (B, n) in deviations of the image.
    """
    return sections * per_section(gain, sections) + per_section(offset, sections)


class SectionContrast(SectionDefect):
    """Change gain and offset of single sections.

    Sections differ in thickness, in how much stain they took up or lost to the beam, and in the microscope's settings
    on the day. A weak section is the low-contrast section of gunpowder's `DefectAugment`.

    Args:
        gain: range of the factor.
        offset: range of what is added, in deviations of the image.
        max_sections: the most sections of a crop that have it.
        prob: chance that any has it.

    Raises:
        InputError: if a range is none, a gain is not positive, or nothing can change.
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
