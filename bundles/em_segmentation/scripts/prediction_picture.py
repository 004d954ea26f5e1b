"""Picture of the prediction for a validation crop during training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from scripts.affinity_loss import AffinityLoss
from scripts.boundary_contour_loss import BoundaryContourLoss
from sectome.report import prediction_figure
from sectome.types import Array, VoxelSize

SHOWN = (0, 1, 2, -1)
"""Channels to show if there are more than four: the nearest neighbours and the last offset."""


class PredictionPicture:
    """Draw targets and predictions of a batch's first crop; see `sectome.training.Pictures`.

    Args:
        loss: loss that computes the targets.
        voxel_size_nm: voxel size (z, y, x).
    """

    name = "prediction"

    def __init__(self, loss: AffinityLoss | BoundaryContourLoss, voxel_size_nm: VoxelSize) -> None:
        self.loss = loss
        self.voxel_size_nm = voxel_size_nm
        channels = range(len(loss.channels))
        self.shown = [channels[index] for index in SHOWN] if len(channels) > len(SHOWN) else list(channels)

    def take(self, output: Mapping[str, Any]) -> dict[str, Array]:
        """Return "image" and "labels", (Z, Y, X), and "targets", "valid" and "predicted", (channels, Z, Y, X)."""
        targets, valid = self.loss.targets(output["label"][:1])
        taken = {
            "image": output["image"][0, 0],
            "labels": output["label"][0, 0],
            "targets": targets[0, self.shown],
            "valid": valid[0, self.shown],
            "predicted": output["pred"][0, self.shown].float().sigmoid(),
        }
        return {name: tensor.cpu().numpy() for name, tensor in taken.items()}

    def draw(self, arrays: Mapping[str, Array]) -> Figure:
        """Return the figure."""
        names = [self.loss.channels[channel] for channel in self.shown]
        return prediction_figure(**arrays, names=names, voxel_size_nm=self.voxel_size_nm)
