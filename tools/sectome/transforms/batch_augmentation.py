"""The augmentations of a `Compose`, applied to a whole batch on its device."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import torch
from monai.transforms import Compose
from torch import Tensor

from sectome.checks import InputError
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters, as_signed, reseed_all
from sectome.transforms.beside import beside
from sectome.transforms.contrast import change_contrast


def unknown_to_batches(augmentation: Compose) -> object | None:
    """Return the first transform of a `Compose` that knows crops only, or itself if it is a kind of its own.

    Of MONAI's `OneOf`, `SomeOf` and `RandomOrder` each crop has transforms, or an order, of its own.
    """
    if type(augmentation) is not Compose:
        return augmentation
    return next((one for one in augmentation.transforms if not isinstance(one, Augmentationd)), None)


class BatchAugmentation:
    """Apply a `Compose` of this package's augmentations to a batch, each crop by parameters of its own.

    A crop whose seed is given changes as the `Compose`, seeded so, would change it alone, but for the numbers of its
    noise, not their distribution: noise is drawn on the device, and for voxels that may have moved. Orientations go
    before what changes each voxel by itself, because images can then be bytes for them, a quarter of floats.

    Args:
        augmentation: a MONAI `Compose` of dictionary augmentations.

    Raises:
        InputError: if one of its transforms knows crops only, or it draws which are applied, as `OneOf` does.
    """

    def __init__(self, augmentation: Compose) -> None:
        if (foreign := unknown_to_batches(augmentation)) is not None:
            raise InputError(
                f"augmentation on the device expected random transforms of sectome.transforms, got "
                f"{type(foreign).__name__}; set augment_on_device to false, or take it out"
            )
        self.augmentation = augmentation
        transforms = [one.transform for one in augmentation.transforms]
        self.order = _moves_first(transforms)
        self.moves = len(list(takewhile(lambda number: transforms[number].moves_voxels, self.order)))

    def __call__(
        self, batch: Mapping[Hashable, Any], seeds: Sequence[int], standardisation: Tensor | None = None
    ) -> dict[Hashable, Any]:
        """Return the batch with its keys changed.

        Args:
            batch: tensors (B, C, Z, Y, X) by key, which may be changed in place, and anything else, which stays.
            seeds: B integers; none are needed if there is nothing to augment.
            standardisation: (B, 2), gain and offset that "image" still needs, see `sectome.crops.RandomCrops`.
        """
        result = dict(batch)
        drawn = self._draw(result, seeds)
        self._apply(self.order[: self.moves], drawn, result)
        if standardisation is not None:
            result["image"] = change_contrast(result["image"], *standardisation.unbind(1))
        self._apply(self.order[self.moves :], drawn, result)
        return result

    def _draw(self, batch: Mapping[Hashable, Any], seeds: Sequence[int]) -> list[list[Parameters | None]]:
        """Return for each transform what is drawn for each crop."""
        transforms: list[Any] = list(self.augmentation.transforms)
        present = [next(iter(transform.key_iterator(batch)), None) for transform in transforms]
        drawn: list[list[Parameters | None]] = [[] for _ in transforms]
        for seed in seeds:
            reseed_all(self.augmentation, int(seed))
            for transform, key, parameters in zip(transforms, present, drawn, strict=True):
                if key is not None:
                    transform.transform.randomize(batch[key].shape)
                parameters.append(None if key is None else transform.transform.parameters)
        return drawn

    def _apply(
        self, numbers: Sequence[int], drawn: Sequence[Sequence[Parameters | None]], batch: dict[Hashable, Any]
    ) -> None:
        """Apply some of the transforms to the batch, in this order."""
        for number in numbers:
            transform: Any = self.augmentation.transforms[number]
            for key in transform.key_iterator(batch) if any(one is not None for one in drawn[number]) else ():
                batch[key] = _change(transform.transform, batch[key], drawn[number])


def _moves_first(transforms: Sequence[Augmentation]) -> list[int]:
    """Return the numbers of transforms, those that move voxels before the `voxelwise` ones that they follow."""
    order: list[int] = []
    for number, transform in enumerate(transforms):
        place = len(order)
        while transform.moves_voxels and place and transforms[order[place - 1]].voxelwise:
            place -= 1
        order.insert(place, number)
    return order


def _change(transform: Augmentation, images: Tensor, drawn: Sequence[Parameters | None]) -> Tensor:
    """Return the batch, its crops changed by what was drawn for each; None leaves a crop as it is."""
    parameters = [transform.neutral if one is None else one for one in drawn]
    chosen = {index: one for index, one in enumerate(parameters) if one is not None}
    if len(chosen) == len(images):
        return transform.apply_each(images, list(chosen.values()))
    rows, whole = beside(torch.tensor(list(chosen)), images), as_signed(images)
    changed = transform.apply_each(whole.index_select(0, rows), list(chosen.values()))
    return whole.index_copy_(0, rows, changed).view(images.dtype)
