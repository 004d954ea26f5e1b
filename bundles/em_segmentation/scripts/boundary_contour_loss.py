"""What a prediction of foreground and contour costs: balanced cross-entropy and Dice, where labels are known."""

from __future__ import annotations

from torch import Tensor

from scripts.balanced_loss import BalancedLoss
from sectome.checks import InputError, check_switches, check_whole_number
from sectome.transforms.boundary_contour import contour_maps
from sectome.transforms.label_volume import UNLABELLED, check_integers

CHANNELS = ("foreground", "contour")


class BoundaryContourLoss(BalancedLoss):
    """Binary cross-entropy, balanced between voxels of 1 and of 0 in each channel, plus Dice of those of 1.

    Both foreground and contour are rare where mitochondria are.

    Args:
        width_voxels: of a contour, on each side of a border.
        in_plane: contours are drawn within sections only, as suits thick ones.
        dice_weight: weight of the Dice term; cross-entropy has 1.
        balance_limits: smallest and greatest weight that balancing may give to a class.

    Raises:
        InputError: if the width is no whole number from 1 on, `in_plane` is not true or false, or as `BalancedLoss`.
    """

    def __init__(
        self,
        width_voxels: int = 1,
        in_plane: bool = True,
        dice_weight: float = 0.5,
        balance_limits: tuple[float, float] = (0.3, 8.0),
    ) -> None:
        super().__init__(dice_weight, balance_limits)
        check_switches(in_plane=in_plane)
        self.width_voxels = check_whole_number(width_voxels, 1, "width_voxels")
        self.in_plane = in_plane

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return a scalar.

        Args:
            logits: (B, 2, Z, Y, X), foreground and contour.
            labels: (B, 1, Z, Y, X) integers; 0 is background, negative voxels are unlabelled.

        Raises:
            InputError: if there are not two channels, or labels are no integers, as some transforms leave them.
        """
        if logits.shape[1] != len(CHANNELS):
            raise InputError(f"logits must have the channels {', '.join(CHANNELS)}, got shape {tuple(logits.shape)}")
        return super().forward(logits, labels)

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of labels (B, 1, Z, Y, X), and 1 where they are known, both uint8 (B, 2, Z, Y, X)."""
        check_integers(labels)
        return contour_maps(labels[:, 0].clamp(min=UNLABELLED), self.width_voxels, self.in_plane)

    @property
    def channels(self) -> list[str]:
        """What each channel is."""
        return list(CHANNELS)
