"""What a prediction of hidden voxels costs."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class HiddenVoxelLoss(nn.Module):
    """Mean squared error over the hidden voxels, those whose target is a number."""

    def forward(self, prediction: Tensor, voxels: Tensor) -> Tensor:
        """Return a scalar.

        Args:
            prediction: (B, C, Z, Y, X).
            voxels: the same shape, NaN where voxels are visible; see `HidePatches`.
        """
        prediction, hidden = prediction.float(), ~voxels.isnan()
        # Where nothing is to be predicted the error is 0, and so is its gradient; NaN times 0 would be NaN.
        wanted = voxels.where(hidden, prediction)
        return F.mse_loss(prediction, wanted, reduction="sum") / hidden.sum()
