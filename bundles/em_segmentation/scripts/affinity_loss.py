"""What an affinity prediction costs: balanced cross-entropy and Dice, over the pairs of voxels that are known."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sectome.affinities import labels_to_affinities
from sectome.neighbourhoods import check_offsets
from sectome.types import Offsets


class AffinityLoss(nn.Module):
    """Binary cross-entropy, balanced between joined and separated pairs for each offset, plus Dice of the separated.

    Targets are made from the labels on their device. Separated pairs (borders) are the rare class that decides whether
    objects stay apart, so that Dice is taken of them.

    Args:
        offsets: (z, y, x) steps, one a channel.
        dice_weight: weight of the Dice term; cross-entropy has 1.
        balance_limits: smallest and greatest weight that balancing may give to a class.
    """

    def __init__(
        self, offsets: Offsets, dice_weight: float = 0.5, balance_limits: tuple[float, float] = (0.3, 8.0)
    ) -> None:
        super().__init__()
        self.offsets = check_offsets(offsets)
        self.dice_weight = dice_weight
        self.balance_limits = balance_limits

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return a scalar.

        Args:
            logits: (B, K, Z, Y, X).
            labels: (B, 1, Z, Y, X) integers; 0 is background, negative voxels are unlabelled.
        """
        labels = labels[:, 0]
        targets, valid = labels_to_affinities(labels, self.offsets, mask=labels >= 0)
        targets, valid = targets.to(logits.dtype), valid.to(logits.dtype)

        joined = (targets * valid).sum(dim=(0, 2, 3, 4), keepdim=True)
        known = valid.sum(dim=(0, 2, 3, 4), keepdim=True).clamp(min=1)
        share = (joined / known).clamp(1e-3, 1 - 1e-3)
        low, high = self.balance_limits
        balance = torch.where(targets > 0, (0.5 / share).clamp(low, high), (0.5 / (1 - share)).clamp(low, high))
        cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        cross_entropy = (cross_entropy * balance * valid).sum() / valid.sum().clamp(min=1)

        apart, predicted = (1 - targets) * valid, (-logits).sigmoid() * valid
        overlap = 2 * (apart * predicted).sum(dim=(0, 2, 3, 4)) + 1
        dice = 1 - (overlap / (apart.sum(dim=(0, 2, 3, 4)) + predicted.sum(dim=(0, 2, 3, 4)) + 1)).mean()
        return cross_entropy + self.dice_weight * dice
