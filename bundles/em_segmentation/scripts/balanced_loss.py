"""Cross-entropy that weighs both classes alike, plus Dice: what a loss of rare voxels comes to."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sectome.training import sum_over_processes


def balanced_loss(
    logits: Tensor, targets: Tensor, valid: Tensor, dice_weight: float, balance_limits: tuple[float, float]
) -> Tensor:
    """Return cross-entropy, balanced between the ones and zeros of each channel, plus weighted Dice of the ones.

    Where several processes train together, each returns the loss of all their batches.

    Args:
        logits: (B, K, Z, Y, X).
        targets: 0 or 1, the same shape and type.
        valid: 1 where the target is known, the same shape and type.
        dice_weight: weight of the Dice term, a mean over channels; cross-entropy has 1.
        balance_limits: smallest and greatest weight that balancing may give to a class.
    """
    ones, zeros = targets * valid, (1 - targets) * valid
    costs = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    predicted = logits.sigmoid()

    # Each (K,): balance and Dice are no means over samples, so that several processes need the sums of all.
    parts = (ones, zeros, costs * ones, costs * zeros, predicted * ones, predicted * valid)
    sums = torch.stack([part.sum(dim=(0, 2, 3, 4)) for part in parts])
    ones, zeros, cost_of_ones, cost_of_zeros, overlap, predicted = sum_over_processes(sums)

    known = ones + zeros
    share = (ones / known.clamp(min=1)).clamp(1e-3, 1 - 1e-3)
    low, high = balance_limits
    costs = (0.5 / share).clamp(low, high) * cost_of_ones + (0.5 / (1 - share)).clamp(low, high) * cost_of_zeros
    dice = 1 - ((2 * overlap + 1) / (ones + predicted + 1)).mean()
    return costs.sum() / known.sum().clamp(min=1) + dice_weight * dice
