"""Preparation of batches on the device: transfer, standardisation and augmentation, if left to the device."""

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
    """Return whether a device augments batches by default: a GPU does, if all transforms can take batches."""
    on_gpu = torch.device(device).type == "cuda"
    return on_gpu and augmentation is not None and unknown_to_batches(augmentation) is None


class PrepareBatch:
    """Give MONAI's engines their input and target, both (B, C, Z, Y, X).

    Args:
        target: key of the target: "label", or "image" for an autoencoder.
        augmentation: augmentation on the device, seeded by each crop's "augmentation_seed", which
            `sectome.crops.RandomCrops` adds when its `augment_on_device` is set. Crops of another data set have no such
            seeds, and are left as they are, with a warning. None augments nothing. A "standardisation" left to the
            device is applied in any case.

    Raises:
        InputError: if the augmentation has transforms that can take single crops only.
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
