"""Loss of hidden voxels in masked pre-training."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class HiddenVoxelLoss(nn.Module):
    """Mean squared error over hidden voxels, whose target is not NaN."""

    def forward(self, prediction: Tensor, voxels: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            prediction: (B, C, Z, Y, X) predictions.
            voxels: targets of the same shape, NaN where voxels are visible; see `HidePatches`.
        """
        prediction, hidden = prediction.float(), ~voxels.isnan()
        # The prediction as target gives visible voxels error and gradient 0; a product of NaN and 0 would be NaN.
        wanted = voxels.where(hidden, prediction)
        return F.mse_loss(prediction, wanted, reduction="sum") / hidden.sum()
