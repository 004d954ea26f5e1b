"""Base of all defects of single sections: some sections are taken out of a crop, changed, and put back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from sectome.checks import check_whole_number
from sectome.transforms.augmentation import Augmentation, Parameters
from sectome.transforms.beside import beside
from sectome.types import Shape3


def take_sections(images: Tensor, sections: Tensor) -> Tensor:
    """Return sections (B, C, n, Y, X) of a batch (B, C, Z, Y, X), given each crop's numbers `sections` (B, n)."""
    sections = beside(sections, images)
    return images[torch.arange(len(images), device=images.device)[:, None], :, sections].transpose(1, 2)


def put_sections(images: Tensor, sections: Tensor, values: Tensor) -> Tensor:
    """Return a copy of a batch (B, C, Z, Y, X) with its `sections` (B, n) replaced by `values` (B, C, n, Y, X)."""
    sections = beside(sections, images)
    result = images.clone()
    result[torch.arange(len(images), device=images.device)[:, None], :, sections] = values.transpose(1, 2)
    return result


def per_section(parameter: Tensor, sections: Tensor) -> Tensor:
    """Return a parameter (B, n) in the type and on the device of sections (B, C, n, Y, X), ready to broadcast."""
    return beside(parameter, sections).to(sections.dtype)[:, None, :, None, None]


def draw_sections(random: np.random.RandomState, depth: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw 1 to `most` different sections out of `depth`.

    Returns:
        `sections` and `repeats`, both with `most` integers, however many sections were drawn. `sections[i]` is the
        section that was drawn as number `repeats[i]`. Sections listed twice get the same change, once.
    """
    count = 1 + random.randint(min(most, depth))
    repeats = np.arange(most) % count
    return random.choice(depth, count, replace=False)[repeats], repeats


class SectionDefect(Augmentation):
    """A defect of 1 to `max_sections` sections of a crop, drawn for each section separately.

    Args:
        max_sections: maximum number of affected sections.
        prob: probability of any defect.

    Raises:
        InputError: if `max_sections` is not a whole number >= 1, or the probability is not between 0 and 1.
    """

    def __init__(self, max_sections: int, prob: float) -> None:
        super().__init__(prob)
        self.max_sections = check_whole_number(max_sections, 1, "max_sections")

    @abstractmethod
    def draw_section(self, shape: tuple[int, int]) -> Parameters:
        """Draw the parameters for one section of (Y, X) voxels from `self.R`."""

    def change(self, sections: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return sections (B, C, n, Y, X), changed by parameters (B, n, ...)."""
        return self.function(sections, **parameters)

    def draw(self, shape: Shape3) -> Parameters:
        """Draw the sections and the defect of each."""
        sections, repeats = draw_sections(self.R, shape[0], self.max_sections)
        defects = [self.draw_section(shape[1:]) for _ in range(repeats.max() + 1)]
        drawn = {name: np.stack([np.asarray(defect[name]) for defect in defects])[repeats] for name in defects[0]}
        return {"sections": sections, **drawn}

    def apply(self, images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the batch (B, C, Z, Y, X) with the drawn sections changed."""
        of_defects = dict(parameters)
        sections = of_defects.pop("sections")
        return put_sections(images, sections, self.change(take_sections(images, sections), of_defects))
