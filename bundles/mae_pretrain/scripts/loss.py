"""Loss function for MONAI's trainer, as the masked autoencoder computes its own loss."""

from __future__ import annotations

from torch import Tensor, nn


class ReconstructionLoss(nn.Module):
    """Return the "loss" in a masked autoencoder's output."""

    def forward(self, output: dict[str, Tensor], image: Tensor) -> Tensor:
        """Return the mean squared error over hidden voxels, a scalar."""
        return output["loss"]
