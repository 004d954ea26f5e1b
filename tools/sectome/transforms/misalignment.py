"""Sections that slipped sideways: a single one, or one and all that follow."""

from __future__ import annotations

import itertools
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from sectome.checks import check_choice, check_whole_number
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters
from sectome.transforms.in_plane import mirror
from sectome.types import Shape3

Mode = Literal["slip", "shift", "either"]
MODES: tuple[Mode, ...] = get_args(Mode)


def shift_sections(images: Tensor, shifts: Tensor) -> Tensor:
    """Shift each section by whole voxels; beyond its border, a section continues as its mirror image.

    Args:
        images: (B, C, Z, Y, X) floats or integers.
        shifts: (B, Z, 2) integers, shift along (y, x) in voxels.

    Returns:
        A new tensor of the same shape and type.
    """
    moved = images.clone()
    for crop, crop_shifts in zip(moved, shifts.tolist(), strict=True):
        # Consecutive sections with the same shift are moved together: a crop usually has two or three runs of them.
        ends = [z for z in range(1, len(crop_shifts)) if crop_shifts[z] != crop_shifts[z - 1]]
        for first, last in itertools.pairwise([0, *ends, len(crop_shifts)]):
            run = crop[:, first:last]
            for axis, shift in zip((-2, -1), crop_shifts[first], strict=True):
                if shift:
                    length = run.shape[axis]
                    places = mirror(torch.arange(length, device=run.device) - shift, length)
                    run.copy_(run.index_select(axis, places))
    return moved


class Misalignment(Augmentation):
    """Let one section slip, or shift a section and all that follow (Lee et al. 2017, arXiv:1706.00120).

    With the image as the only key, labels stay, and the network learns to see through the slip. With the labels as a
    second key, they move with the image, and the targets follow the visible tissue.

    Args:
        max_shift_voxels: maximum shift along y and along x.
        mode: "slip" (one section), "shift" (one and all that follow), or "either".
        prob: probability that anything moves.

    Raises:
        InputError: if an argument is invalid.
    """

    function = staticmethod(shift_sections)
    labels_may_stay = True

    def __init__(self, max_shift_voxels: int = 8, mode: Mode = "either", prob: float = 0.2) -> None:
        super().__init__(prob)
        self.max_shift_voxels = check_whole_number(max_shift_voxels, 1, "max_shift_voxels")
        self.mode = check_choice(mode, MODES, "mode")

    def draw(self, shape: Shape3) -> Parameters:
        """Draw the section, the shift, and whether later sections follow."""
        first = self.R.randint(shape[0])
        follow = self.R.rand() < {"slip": 0.0, "shift": 1.0, "either": 0.5}[self.mode]
        limit = [min(self.max_shift_voxels, length - 1) for length in shape[1:]]
        shift = [self.R.randint(-most, most + 1) for most in limit]
        shifts = np.zeros((shape[0], 2), np.int64)
        # Not all sections may move: labels that stay would then be displaced without any visible sign.
        moved = slice(max(first, 1), None) if follow else slice(first, first + 1)
        shifts[moved] = shift
        return {"shifts": shifts}


class Misalignmentd(Augmentationd, of=Misalignment):
    """Dictionary version of `Misalignment`: labels move when they are among the keys."""
