"""Random flips and exchanges of axes, after which the tissue is as plausible as before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from sectome.checks import InputError, check_switches
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters
from sectome.types import Shape3

ANISOTROPIC_ORDERS = ((0, 1, 2), (0, 2, 1))
"""Orders of the axes (0, 1, 2 are z, y, x) that leave z in its place."""

ISOTROPIC_ORDERS = tuple(permutations(range(3)))


def orient(image: Tensor, flips: Sequence[bool], order: Sequence[int]) -> Tensor:
    """Flip axes of (C, Z, Y, X), then permute them to `order` (0, 1, 2 are z, y, x); a view if nothing is flipped."""
    axes = [axis + 1 for axis, flip in enumerate(flips) if flip]
    flipped = image.flip(axes) if axes else image
    return flipped.permute(0, *(axis + 1 for axis in order))


class RandomOrientation(Augmentation):
    """Apply one of the 16 orientations that leave z in its place, or one of all 48 for isotropic voxels.

    These are the flips and the rotations by 90 degrees, each with its mirror image.

    Args:
        isotropic: whether z may be exchanged with y or x; crops must then be cubes.
        prob: probability of applying it.

    Raises:
        InputError: if `isotropic` is not true or false; when called, if axes to be exchanged differ in length.
    """

    moves_voxels = True

    def __init__(self, isotropic: bool = False, prob: float = 1.0) -> None:
        super().__init__(prob)
        check_switches(isotropic=isotropic)
        self.isotropic = isotropic

    def draw(self, shape: Shape3) -> Parameters:
        """Draw the flips and the order of the axes."""
        if len(set(shape if self.isotropic else shape[1:])) > 1:
            raise InputError(
                f"exchanged axes must have the same length, got crops of {shape} with isotropic={self.isotropic}"
            )
        flips = [bool(self.R.randint(2)) for _ in range(3)]
        orders = ISOTROPIC_ORDERS if self.isotropic else ANISOTROPIC_ORDERS
        return {"flips": np.array(flips), "order": np.array(orders[self.R.randint(len(orders))])}

    def apply(self, images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return the batch, each crop in its drawn orientation."""
        each = zip(images, parameters["flips"].tolist(), parameters["order"].tolist(), strict=True)
        return torch.stack([orient(image, flips, order) for image, flips, order in each])


class RandomOrientationd(Augmentationd, of=RandomOrientation):
    """Dictionary version of `RandomOrientation`: one draw for all keys."""
