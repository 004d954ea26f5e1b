"""Augmentation of a whole batch on its device, by the transforms of a `Compose`."""

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
    """Return the first transform that cannot take batches, or `augmentation` itself if it is no plain `Compose`.

    MONAI's `OneOf`, `SomeOf` and `RandomOrder` draw transforms, or their order, for each crop.
    """
    if type(augmentation) is not Compose:
        return augmentation
    return next((one for one in augmentation.transforms if not isinstance(one, Augmentationd)), None)


class BatchAugmentation:
    """Apply a `Compose` of this package's augmentations to a batch, with separate parameters for each crop.

    With a given seed, a crop changes as the `Compose`, seeded with it, would change the crop alone. Only noise has
    other values, with the same distribution: it is drawn on the device, and for voxels that may have moved. Transforms
    that move voxels go before voxelwise ones, because images can then still be bytes, a quarter of the size of floats.

    Args:
        augmentation: a MONAI `Compose` of dictionary augmentations.

    Raises:
        InputError: if a transform cannot take batches, or `augmentation` draws which ones to apply, as `OneOf` does.
    """

    def __init__(self, augmentation: Compose) -> None:
        if (foreign := unknown_to_batches(augmentation)) is not None:
            raise InputError(
                "augmentation on the device expected random transforms of sectome.transforms, got "
                f"{type(foreign).__name__}; set augment_on_device to false, or remove it"
            )
        self.augmentation = augmentation
        transforms = [one.transform for one in augmentation.transforms]
        self.order = _moves_first(transforms)
        self.moves = len(list(takewhile(lambda number: transforms[number].moves_voxels, self.order)))

    def __call__(
        self, batch: Mapping[Hashable, Any], seeds: Sequence[int], standardisation: Tensor | None = None
    ) -> dict[Hashable, Any]:
        """Return the augmented batch.

        Args:
            batch: tensors (B, C, Z, Y, X) by key, which may be changed in place; other values are kept.
            seeds: B integers; may be empty if there is nothing to augment.
            standardisation: (B, 2), gain and offset that "image" still needs; see `sectome.crops.RandomCrops`.
        """
        result = dict(batch)
        drawn = self._draw(result, seeds)
        self._apply(self.order[: self.moves], drawn, result)
        if standardisation is not None:
            result["image"] = change_contrast(result["image"], *standardisation.unbind(1))
        self._apply(self.order[self.moves :], drawn, result)
        return result

    def _draw(self, batch: Mapping[Hashable, Any], seeds: Sequence[int]) -> list[list[Parameters | None]]:
        """Return each transform's parameters for each crop; None where it is not applied."""
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
        """Apply the transforms of these numbers to the batch, in this order."""
        for number in numbers:
            transform: Any = self.augmentation.transforms[number]
            for key in transform.key_iterator(batch) if any(one is not None for one in drawn[number]) else ():
                batch[key] = _change(transform.transform, batch[key], drawn[number])


def _moves_first(transforms: Sequence[Augmentation]) -> list[int]:
    """Return the numbers of transforms in their order, but with those that move voxels before `voxelwise` ones."""
    order: list[int] = []
    for number, transform in enumerate(transforms):
        place = len(order)
        while transform.moves_voxels and place and transforms[order[place - 1]].voxelwise:
            place -= 1
        order.insert(place, number)
    return order


def _change(transform: Augmentation, images: Tensor, drawn: Sequence[Parameters | None]) -> Tensor:
    """Return the batch, each crop changed by its drawn parameters; None leaves a crop unchanged."""
    parameters = [transform.neutral if one is None else one for one in drawn]
    chosen = {index: one for index, one in enumerate(parameters) if one is not None}
    if len(chosen) == len(images):
        return transform.apply_each(images, list(chosen.values()))
    rows, whole = beside(torch.tensor(list(chosen)), images), as_signed(images)
    changed = transform.apply_each(whole.index_select(0, rows), list(chosen.values()))
    return whole.index_copy_(0, rows, changed).view(images.dtype)
