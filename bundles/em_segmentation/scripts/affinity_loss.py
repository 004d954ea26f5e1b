"""Loss of affinities: balanced cross-entropy and Dice over voxel pairs with known labels."""

from __future__ import annotations

from torch import Tensor

from scripts.balanced_loss import BalancedLoss
from sectome.affinities import labels_to_affinities
from sectome.neighbourhoods import check_offsets
from sectome.types import AXES, Offsets


class AffinityLoss(BalancedLoss):
    """Binary cross-entropy, balanced per offset between joined and separated pairs, plus Dice of the separated pairs.

    Dice is computed for separated pairs (borders), because this rare class decides whether objects stay apart.

    Args:
        offsets: offsets (z, y, x), one per channel.
        dice_weight: weight of the Dice term; cross-entropy has 1.
        balance_limits: smallest and greatest weight that balancing may give to a class.
    """

    rare = 0

    def __init__(
        self, offsets: Offsets, dice_weight: float = 0.5, balance_limits: tuple[float, float] = (0.3, 8.0)
    ) -> None:
        super().__init__(dice_weight, balance_limits)
        self.offsets = check_offsets(offsets)

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return affinities of labels (B, 1, Z, Y, X), and a mask of known ones, both uint8 (B, K, Z, Y, X)."""
        affinities, valid = labels_to_affinities(labels[:, 0], self.offsets, mask=labels[:, 0] >= 0)
        return affinities, valid

    @property
    def channels(self) -> list[str]:
        """Name of each channel, such as "y -9"."""
        return [
            " ".join(f"{axis} {step}" for axis, step in zip(AXES, offset, strict=True) if step)
            for offset in self.offsets
        ]
