"""Loss of foreground and contour: balanced cross-entropy and Dice where labels are known."""

from __future__ import annotations

from torch import Tensor

from scripts.balanced_loss import BalancedLoss
from sectome.checks import InputError, check_switches, check_whole_number
from sectome.transforms.boundary_contour import contour_maps
from sectome.transforms.label_volume import UNLABELLED, check_integers

CHANNELS = ("foreground", "contour")


class BoundaryContourLoss(BalancedLoss):
    """Binary cross-entropy, balanced per channel between voxels of 1 and 0, plus Dice of the voxels of 1.

    Both foreground and contour of mitochondria are rare classes.

    Args:
        width_voxels: width of a contour on each side of a border.
        in_plane: whether contours are drawn within sections only, as suits thick sections.
        dice_weight: weight of the Dice term; cross-entropy has weight 1.
        balance_limits: least and greatest weight that balancing may give to a class.

    Raises:
        InputError: as `BalancedLoss`, or if the width is not a positive whole number or `in_plane` is not boolean.
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
        """Return the loss, a scalar.

        Args:
            logits: (B, 2, Z, Y, X) logits of foreground and contour.
            labels: (B, 1, Z, Y, X) integers; 0 is background, negative voxels are unlabelled.

        Raises:
            InputError: if there are not two channels, or labels are not integers, as after some transforms.
        """
        if logits.shape[1] != len(CHANNELS):
            raise InputError(f"logits must have the channels {', '.join(CHANNELS)}, got shape {tuple(logits.shape)}")
        return super().forward(logits, labels)

    def targets(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return maps of labels (B, 1, Z, Y, X), and a mask of known voxels, both uint8 (B, 2, Z, Y, X)."""
        check_integers(labels)
        return contour_maps(labels[:, 0].clamp(min=UNLABELLED), self.width_voxels, self.in_plane)

    @property
    def channels(self) -> list[str]:
        """Name of each channel."""
        return list(CHANNELS)
