"""Cross-entropy that weighs both classes alike, plus Dice: what a loss of rare voxels comes to."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sectome.checks import check_at_least, check_range
from sectome.training import sum_over_processes


class BalancedLoss(nn.Module):
    """Binary cross-entropy, balanced between the voxels of 0 and of 1 in each channel, plus Dice of the rare ones.

    A kind of it says what the labels ask for, as `targets`, on the labels' device. Where several processes train
    together, each returns the loss of all their batches.

    Args:
        dice_weight: weight of the Dice term, a mean over channels; cross-entropy has 1.
        balance_limits: smallest and greatest weight that balancing may give to a class.

    Raises:
        InputError: if the weight is no number from 0 on, or the limits are no range of such.
    """

    rare: ClassVar[int] = 1
    """The class that Dice is taken of."""

    def __init__(self, dice_weight: float, balance_limits: tuple[float, float]) -> None:
        super().__init__()
        self.dice_weight = check_at_least(dice_weight, 0, "dice_weight")
        self.balance_limits = check_range(balance_limits, 0, math.inf, "balance_limits")

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return what labels (B, 1, Z, Y, X) ask for, and 1 where it is known, both 0 or 1 (B, K, Z, Y, X)."""
        raise NotImplementedError

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return a scalar.

        Args:
            logits: (B, K, Z, Y, X).
            labels: (B, 1, Z, Y, X) integers; 0 is background, negative voxels are unlabelled.
        """
        sums = sum_over_processes(self.sums(logits, *self.targets(labels)))
        ones, zeros, cost_of_ones, cost_of_zeros, overlap, predicted = sums
        known = ones + zeros
        share = (ones / known.clamp(min=1)).clamp(1e-3, 1 - 1e-3)
        low, high = self.balance_limits
        costs = (0.5 / share).clamp(low, high) * cost_of_ones + (0.5 / (1 - share)).clamp(low, high) * cost_of_zeros
        dice = 1 - ((2 * overlap + 1) / (ones + predicted + 1)).mean()
        return costs.sum() / known.sum().clamp(min=1) + self.dice_weight * dice

    def sums(self, logits: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
        """Return (6, K) sums over all that is known in a channel: all passes over the maps.

        They are the number of ones, which are the rare class, and of zeros, the costs of each, the probability that is
        given to ones, and that to all. Balance and Dice are no means over samples: several processes need the sums.
        """
        # Numbers of voxels are beyond float16, and bfloat16 rounds them.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        targets, valid = targets.to(logits.dtype), valid.to(logits.dtype)
        if self.rare == 0:
            logits, targets = -logits, 1 - targets
        ones, zeros = targets * valid, (1 - targets) * valid
        costs = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        predicted = logits.sigmoid()
        parts = (ones, zeros, costs * ones, costs * zeros, predicted * ones, predicted * valid)
        return torch.stack([part.sum(dim=(0, 2, 3, 4)) for part in parts])
