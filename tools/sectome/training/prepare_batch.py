"""A batch on its way to the network: moved to the device, standardised and augmented there if that was left to it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from monai.transforms import Compose
from torch import Tensor

from sectome.transforms import BatchAugmentation
from sectome.transforms.batch_augmentation import unknown_to_batches


def augments_on_device(device: torch.device | str, augmentation: Compose | None) -> bool:
    """Tell whether a device augments batches where nobody says: a GPU does, if all transforms know batches."""
    on_gpu = torch.device(device).type == "cuda"
    return on_gpu and augmentation is not None and unknown_to_batches(augmentation) is None


class PrepareBatch:
    """Give MONAI's engines their input and target, both (B, C, Z, Y, X).

    Args:
        target: key of the target: "label", or "image" for an autoencoder.
        augmentation: applied on the device, by the "augmentation_seed" that `sectome.crops.RandomCrops` gives each
            crop when its `augment_on_device` is set. None leaves crops as they come, but for a "standardisation" that
            was left to the device, too; so are those of another data set, which has no such seeds, with a warning.

    Raises:
        InputError: if the augmentation has transforms that know single crops only.
    """

    def __init__(self, target: str = "label", augmentation: Compose | None = None) -> None:
        self.keys = dict.fromkeys(["image", target])
        self.augmentation = BatchAugmentation(Compose([]) if augmentation is None else augmentation)

    def __call__(
        self, batch: Mapping[str, Any], device: torch.device, non_blocking: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Return input and target on the device."""
        moved: dict[Any, Any] = {key: batch[key].to(device, non_blocking=non_blocking, **kwargs) for key in self.keys}
        seeds = batch["augmentation_seed"].tolist() if "augmentation_seed" in batch else []
        if self.augmentation.order and not seeds:
            warnings.warn("crops have no augmentation_seed: they are not augmented on the device", stacklevel=2)
        moved = self.augmentation(moved, seeds, batch.get("standardisation"))
        tensors = [moved[key] for key in self.keys]
        return tensors[0], tensors[-1]
