"""The masked autoencoder computes its own loss; MONAI's trainer asks a loss function for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class ReconstructionLoss(nn.Module):
    """Hand on the "loss" of a masked autoencoder's output."""

    def forward(self, output: dict[str, Tensor], image: Tensor) -> Tensor:
        """Return the mean squared error over hidden voxels, a scalar."""
        return output["loss"]


def image_twice(
    batch: dict[str, Tensor], device: torch.device, non_blocking: bool = False, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """Prepare a batch for MONAI's engines: the image is input and target."""
    image = batch["image"].to(device, non_blocking=non_blocking, **kwargs)
    return image, image
