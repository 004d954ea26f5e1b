"""Loss for imbalanced classes: class-balanced cross-entropy plus Dice of the rare class."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from sectome.checks import check_at_least, check_range
from sectome.training import sum_over_processes


class BalancedLoss(nn.Module):
    """Binary cross-entropy, balanced per channel between voxels of 0 and 1, plus Dice of the rare class.

    Subclasses implement `targets`, which computes targets on the labels' device. If several processes train together,
    each returns the loss over all their batches.

    Args:
        dice_weight: weight of the Dice term, a mean over channels; cross-entropy has weight 1.
        balance_limits: least and greatest weight that balancing may give to a class.

    Raises:
        InputError: if the weight is not a number of at least 0, or the limits not a range of such.
    """

    rare: ClassVar[int] = 1
    """The class for which Dice is computed."""

    def __init__(self, dice_weight: float, balance_limits: tuple[float, float]) -> None:
        super().__init__()
        self.dice_weight = check_at_least(dice_weight, 0, "dice_weight")
        self.balance_limits = check_range(balance_limits, 0, math.inf, "balance_limits")

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return targets of labels (B, 1, Z, Y, X), and a mask of known ones, both 0 or 1, (B, K, Z, Y, X)."""
        raise NotImplementedError

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            logits: (B, K, Z, Y, X) logits.
            labels: (B, 1, Z, Y, X) integers; 0 is background, negative voxels are unlabelled.
        """
        ones, known = sum_over_processes(self.sums(logits, *self.targets(labels)))
        (one_count, one_costs, one_chances), (zero_count, zero_costs, zero_chances) = ones, known - ones
        known_count = one_count + zero_count
        share = (one_count / known_count.clamp(min=1)).clamp(1e-3, 1 - 1e-3)
        low, high = self.balance_limits
        costs = (0.5 / share).clamp(low, high) * one_costs + (0.5 / (1 - share)).clamp(low, high) * zero_costs
        # Number of rare voxels, and sums of the predicted probability of being rare over them and over all voxels.
        count, overlap, predicted = one_count, one_chances, one_chances + zero_chances
        if self.rare == 0:
            count, overlap, predicted = zero_count, zero_count - zero_chances, known_count - predicted
        dice = 1 - ((2 * overlap + 1) / (count + predicted + 1)).mean()
        return costs.sum() / known_count.sum().clamp(min=1) + self.dice_weight * dice

    def sums(self, logits: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
        """Return (2, 3, K) sums over the voxels of 1, and over all known voxels; see `KnownSums`.

        Balance and Dice are not means over samples, so several processes must add up these sums.
        """
        # Voxel counts overflow float16, and bfloat16 rounds them.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        sums: Tensor = KnownSums.apply(logits, targets, valid)
        return sums


class KnownSums(torch.autograd.Function):
    """All passes over the maps, with a handwritten gradient: autograd's would read and write twice as much.

    The sums (2, 3, K) are over the voxels of 1, and over all known voxels, of each channel: their number, cross-entropy
    and predicted probability of being 1. Logits are floats (B, K, Z, Y, X); targets and the mask of known voxels are
    uint8, 0 or 1.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, known: Tensor) -> Tensor:
        """Return the sums."""
        targets, known = targets.to(logits.dtype), known.to(logits.dtype)
        ones, chances = targets * known, logits.sigmoid()
        costs = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        ctx.save_for_backward(chances, targets, known)
        sums = [part.sum(dim=(0, 2, 3, 4)) for one in (ones, known) for part in (one, costs * one, chances * one)]
        return torch.stack(sums).unflatten(0, (2, 3))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the logits: a cost has derivative p - target, a probability p has p * (1 - p)."""
        chances, targets, known = ctx.saved_tensors
        (_, cost_of_ones, chance_of_ones), (_, cost, chance) = gradients[0][..., None, None, None]
        by_cost = (targets * cost_of_ones).add_(cost).mul_(chances - targets)
        by_chance = torch.ops.aten.sigmoid_backward((targets * chance_of_ones).add_(chance), chances)
        return by_cost.add_(by_chance).mul_(known), None, None
