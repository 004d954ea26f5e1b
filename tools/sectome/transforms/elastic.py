"""Smooth in-plane deformation of tissue, the same in all sections of a crop."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from sectome.checks import check_at_least
from sectome.transforms.augmentation import Augmentation, Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.transforms.in_plane import pixel_grid, sample_in_plane
from sectome.types import Shape3


def bend_in_plane(images: Tensor, displacements: Tensor) -> Tensor:
    """Move voxels in-plane by displacements that are given on a coarse grid and interpolated bicubically.

    Args:
        images: (B, C, Z, Y, X) floats or integers; see `sample_in_plane`.
        displacements: (B, 2, rows, columns) voxels along (y, x); the grid's corners are those of the section.

    Returns:
        A new tensor of the same shape and type.
    """
    y, x = pixel_grid(images)
    coarse = beside(displacements, y)
    fine = F.interpolate(coarse, size=images.shape[-2:], mode="bicubic", align_corners=True)
    return sample_in_plane(images, y + fine[:, 0], x + fine[:, 1])


class Elastic(Augmentation):
    """Deform a crop in-plane. Nothing moves along z, so voxels may be anisotropic.

    Args:
        sigma_voxels: standard deviation of the displacements along y and x at the nodes of the grid.
        spacing_voxels: maximum distance between the nodes; the deformation is smooth below it.
        prob: probability of applying it.

    Raises:
        InputError: if the displacement is not positive, or so large for the spacing that tissue would fold over.
    """

    function = staticmethod(bend_in_plane)

    def __init__(self, sigma_voxels: float = 3.0, spacing_voxels: float = 40.0, prob: float = 0.3) -> None:
        super().__init__(prob)
        self.sigma_voxels = check_at_least(sigma_voxels, 0.01, "sigma_voxels")
        self.spacing_voxels = check_at_least(spacing_voxels, 4 * self.sigma_voxels, "spacing_voxels (4 sigma_voxels)")

    def draw(self, shape: Shape3) -> Parameters:
        """Draw the displacements of the nodes."""
        nodes = [int(np.ceil((length - 1) / self.spacing_voxels)) + 1 for length in shape[1:]]
        # Clipped to two standard deviations, and to a quarter of the node spacing: beyond it, tissue turns inside out.
        ways = [(length - 1) / max(count - 1, 1) for length, count in zip(shape[1:], nodes, strict=True)]
        most = np.minimum(2 * self.sigma_voxels, np.array(ways)[:, None, None] / 4)
        return {"displacements": np.clip(self.sigma_voxels * self.R.standard_normal((2, *nodes)), -most, most)}


class Elasticd(Augmentationd, of=Elastic):
    """Dictionary version of `Elastic`: labels are deformed with the image."""
