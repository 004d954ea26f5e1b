"""What an affinity prediction costs: balanced cross-entropy and Dice, over the pairs of voxels that are known."""

from __future__ import annotations

from torch import Tensor, nn

from scripts.balanced_loss import balanced_loss
from sectome.affinities import labels_to_affinities
from sectome.neighbourhoods import check_offsets
from sectome.types import AXES, Offsets


class AffinityLoss(nn.Module):
    """Binary cross-entropy, balanced between joined and separated pairs for each offset, plus Dice of the separated.

    Targets are made from the labels on their device. Where several processes train together, each returns the loss of
    all their batches. Separated pairs (borders) are the rare class that decides whether objects stay apart, so that
    Dice is taken of them.

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
        joined, valid = (part.to(logits.dtype) for part in self.targets(labels))
        return balanced_loss(-logits, 1 - joined, valid, self.dice_weight, self.balance_limits)

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return affinities of labels (B, 1, Z, Y, X), and 1 where they are known, both uint8 (B, K, Z, Y, X)."""
        affinities, valid = labels_to_affinities(labels[:, 0], self.offsets, mask=labels[:, 0] >= 0)
        return affinities, valid

    @property
    def channels(self) -> list[str]:
        """What each channel is, as "y -9"."""
        return [
            " ".join(f"{axis} {step}" for axis, step in zip(AXES, offset, strict=True) if step)
            for offset in self.offsets
        ]
