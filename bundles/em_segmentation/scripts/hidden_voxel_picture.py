"""Picture of the reconstruction of hidden patches during training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from sectome.report import reconstruction_figure
from sectome.types import Array, VoxelSize

CROPS = 2


class HiddenVoxelPicture:
    """Draw image, masked image and reconstruction of a batch's first crops; see `sectome.training.Pictures`.

    Args:
        voxel_size_nm: voxel size (z, y, x).
    """

    name = "reconstruction"

    def __init__(self, voxel_size_nm: VoxelSize) -> None:
        self.voxel_size_nm = voxel_size_nm

    def take(self, output: Mapping[str, Any]) -> dict[str, Array]:
        """Return the arrays "image", "masked", "reconstructed" and "hidden", (N, Z, Y, X)."""
        masked, voxels, predicted = (output[name][:CROPS, 0].float().cpu() for name in ("image", "label", "pred"))
        hidden = ~voxels.isnan()
        taken = {
            "image": voxels.where(hidden, masked),
            "masked": masked,
            "reconstructed": predicted.where(hidden, masked),
            "hidden": hidden,
        }
        return {name: tensor.numpy() for name, tensor in taken.items()}

    def draw(self, arrays: Mapping[str, Array]) -> Figure:
        """Return the figure."""
        return reconstruction_figure(**arrays, voxel_size_nm=self.voxel_size_nm, crops=CROPS)
