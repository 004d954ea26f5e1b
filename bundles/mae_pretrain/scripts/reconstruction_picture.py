"""Picture of the autoencoder's reconstruction of validation crops during training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from scripts.masked_autoencoder import MaskedAutoencoder
from sectome.report import reconstruction_figure
from sectome.types import Array, VoxelSize

CROPS = 2


class ReconstructionPicture:
    """Draw image, masked image and reconstruction of a batch's first crops; see `sectome.training.Pictures`.

    Args:
        network: masked autoencoder.
        voxel_size_nm: voxel size (z, y, x).
    """

    name = "reconstruction"

    def __init__(self, network: MaskedAutoencoder, voxel_size_nm: VoxelSize) -> None:
        self.network = network
        self.voxel_size_nm = voxel_size_nm

    def take(self, output: Mapping[str, Any]) -> dict[str, Array]:
        """Return the arrays "image", "masked", "reconstructed" and "hidden", (N, Z, Y, X)."""
        pictures = {"image": output["image"], **self.network.pictures(output["image"], output["pred"])}
        return {name: batch[:CROPS, 0].cpu().numpy() for name, batch in pictures.items()}

    def draw(self, arrays: Mapping[str, Array]) -> Figure:
        """Return the figure."""
        return reconstruction_figure(**arrays, voxel_size_nm=self.voxel_size_nm, crops=CROPS)
