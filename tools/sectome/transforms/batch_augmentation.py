"""The augmentations of a `Compose`, applied to a whole batch on its device."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Compose
from torch import Tensor

from sectome.checks import InputError
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters, reseed_all
from sectome.transforms.beside import beside


class BatchAugmentation:
    """Apply a `Compose` of this package's augmentations to a batch, each crop by parameters of its own.

    A crop whose seed is given changes as the `Compose`, seeded so, would change it alone. Where noise is drawn on
    another device its numbers differ, not their distribution.

    Args:
        augmentation: a MONAI `Compose` of dictionary augmentations.

    Raises:
        InputError: if one of its transforms knows crops only.
    """

    def __init__(self, augmentation: Compose) -> None:
        self.augmentation = augmentation
        for transform in augmentation.transforms:
            if not isinstance(transform, Augmentationd):
                raise InputError(
                    f"augmentation on the device expected random transforms of sectome.transforms, got "
                    f"{type(transform).__name__}; set augment_on_device to false, or take it out"
                )

    def __call__(self, batch: Mapping[Hashable, Any], seeds: Sequence[int]) -> dict[Hashable, Any]:
        """Return the batch with its keys changed.

        Args:
            batch: tensors (B, C, Z, Y, X) by key, which may be changed in place, and anything else, which stays.
            seeds: B integers.
        """
        result = dict(batch)
        transforms: list[Any] = list(self.augmentation.transforms)
        drawn: list[list[Parameters | None]] = [[] for _ in transforms]
        for seed in seeds:
            reseed_all(self.augmentation, int(seed))
            for transform, parameters in zip(transforms, drawn, strict=True):
                present = list(transform.key_iterator(result))
                if present:
                    transform.transform.randomize(result[present[0]].shape)
                parameters.append(transform.transform.parameters if present else None)
        for transform, parameters in zip(transforms, drawn, strict=True):
            for key in transform.key_iterator(result) if any(one is not None for one in parameters) else ():
                result[key] = _change(transform.transform, result[key], parameters)
        return result


def _change(transform: Augmentation, images: Tensor, drawn: Sequence[Parameters | None]) -> Tensor:
    """Return the batch, its crops changed by what was drawn for each; None leaves a crop as it is."""
    parameters = [transform.neutral if one is None else one for one in drawn]
    chosen = {index: one for index, one in enumerate(parameters) if one is not None}
    if len(chosen) == len(images):
        return transform.apply_each(images, list(chosen.values()))
    rows = beside(torch.tensor(list(chosen)), images)
    changed = transform.apply_each(images.index_select(0, rows), list(chosen.values()))
    return images.index_copy_(0, rows, changed)
