"""The masked autoencoder computes its own loss; MONAI's trainer asks a loss function for it."""

from __future__ import annotations

from torch import Tensor, nn


class ReconstructionLoss(nn.Module):
    """Hand on the "loss" of a masked autoencoder's output."""

    def forward(self, output: dict[str, Tensor], image: Tensor) -> Tensor:
        """Return the mean squared error over hidden voxels, a scalar."""
        return output["loss"]
