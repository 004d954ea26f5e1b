"""Flips and exchanges of axes that leave the tissue as likely as it was."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform

from sectome.checks import InputError

ANISOTROPIC_ORDERS = ((0, 1, 2), (0, 2, 1))
ISOTROPIC_ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def orient(image: torch.Tensor, flips: Sequence[bool], order: Sequence[int]) -> torch.Tensor:
    """Flip axes of (C, Z, Y, X), then put them into `order` (0, 1, 2 are z, y, x)."""
    flipped = image.flip([axis + 1 for axis, flip in enumerate(flips) if flip])
    return flipped.permute(0, *(axis + 1 for axis in order)).contiguous()


class RandomOrientation(RandomizableTransform):
    """Draw one of the 16 orientations that keep sections sections, or of all 48 of isotropic voxels.

    Args:
        isotropic: whether z may take the place of y or x; crops must then be cubes.
        prob: chance that anything is done.

    Raises:
        InputError: when called on a crop whose axes cannot be exchanged because they differ in length.
    """

    def __init__(self, isotropic: bool = False, prob: float = 1.0) -> None:
        RandomizableTransform.__init__(self, prob)
        self.isotropic = isotropic
        self.flips: list[bool] = [False] * 3
        self.order: tuple[int, ...] = (0, 1, 2)

    def randomize(self, data: Any = None) -> None:
        """Draw the flips and the order of axes."""
        super().randomize(None)
        self.flips = [bool(self.R.randint(2)) for _ in range(3)]
        orders = ISOTROPIC_ORDERS if self.isotropic else ANISOTROPIC_ORDERS
        self.order = orders[self.R.randint(len(orders))]

    def __call__(self, image: torch.Tensor, randomize: bool = True) -> torch.Tensor:
        """Return (C, Z, Y, X) in the drawn orientation."""
        if randomize:
            self.randomize()
        if not self._do_transform:
            return image
        lengths = image.shape[1:]
        if len(set(lengths if self.isotropic else lengths[1:])) > 1:
            raise InputError(
                f"axes that are exchanged must have one length, got crops of {tuple(lengths)} with "
                f"isotropic={self.isotropic}"
            )
        return orient(image, self.flips, self.order)


class RandomOrientationd(RandomizableTransform, MapTransform):
    """Dictionary version of `RandomOrientation`: one draw for all keys."""

    def __init__(
        self, keys: KeysCollection, isotropic: bool = False, prob: float = 1.0, allow_missing_keys: bool = False
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, 1.0)
        self.transform = RandomOrientation(isotropic, prob)

    def set_random_state(self, seed: int | None = None, state: Any = None) -> RandomOrientationd:
        """Seed the array transform, which draws."""
        self.transform.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply the same orientation to each key."""
        result = dict(data)
        self.transform.randomize()
        for key in self.key_iterator(result):
            result[key] = self.transform(result[key], randomize=False)
        return result
