"""Sections that are out of focus."""

from __future__ import annotations

import torch
from torch import Tensor

from sectome.checks import check_range
from sectome.transforms.augmentation import Augmentationd, Parameters
from sectome.transforms.beside import beside
from sectome.transforms.in_plane import mirror, pixel_grid
from sectome.transforms.section_defect import SectionDefect

TRUNCATE = 4.0
"""Distance at which the Gaussian is cut off, in sigmas, as in scipy."""


def blur_sections(sections: Tensor, sigma_voxels: Tensor) -> Tensor:
    """Blur each section by a Gaussian, as `scipy.ndimage.gaussian_filter` does with mode "mirror".

    Args:
        sections: (B, C, n, Y, X) floats.
        sigma_voxels: (B, n), sigma of the Gaussian, above 0.

    Returns:
        A new tensor of the same shape and type. Beyond its border, a section continues as its mirror image.
    """
    reach = int(TRUNCATE * float(sigma_voxels.max()) + 0.5)
    # Weights are float32 for sections of any type, like all positions in a section.
    sigma = beside(sigma_voxels, pixel_grid(sections)[0])
    along_y, along_x = (
        _blurring_matrices(sigma, reach, length).to(sections.dtype)[:, None] for length in sections.shape[-2:]
    )
    return along_y @ sections @ along_x.transpose(-1, -2)


def _blurring_matrices(sigma: Tensor, reach: int, length: int) -> Tensor:
    """Return matrices (B, n, length, length): each row has the weights of a line's voxels in one blurred voxel.

    A line is blurred by a matrix product. This allows mirrored borders of any length and one sigma per section. For
    crops of up to some hundred voxels, it is faster than a convolution with one kernel per section.
    """
    steps = torch.arange(-reach, reach + 1, device=sigma.device)
    weights = torch.exp(-0.5 * (steps / sigma[..., None]) ** 2)
    weights = weights * (steps.abs() <= (TRUNCATE * sigma[..., None] + 0.5).floor())
    weights = weights / weights.sum(dim=-1, keepdim=True)
    voxels = torch.arange(length, device=sigma.device)
    sources = mirror(voxels[:, None] + steps, length)
    matrices = torch.zeros(*sigma.shape, length, length, device=sigma.device)
    shape = (*sigma.shape, *sources.shape)
    return matrices.scatter_add_(-1, sources.expand(shape), weights[..., None, :].expand(shape))


class SectionBlur(SectionDefect):
    """Put single sections out of focus (Lee et al. 2017, arXiv:1706.00120).

    Autofocus fails on wrinkled, dirty or charging sections, and sections are seldom imaged again.

    Args:
        sigma_voxels: range of the Gaussian's standard deviation.
        max_sections: maximum number of affected sections.
        prob: probability of any defect.

    Raises:
        InputError: if an argument is invalid.
    """

    function = staticmethod(blur_sections)
    grey_only = True

    def __init__(
        self, sigma_voxels: tuple[float, float] = (0.8, 3.0), max_sections: int = 1, prob: float = 0.2
    ) -> None:
        super().__init__(max_sections, prob)
        self.sigma_voxels = check_range(sigma_voxels, 0.3, 100.0, "sigma_voxels")

    def draw_section(self, shape: tuple[int, int]) -> Parameters:
        """Draw the standard deviation."""
        return {"sigma_voxels": self.R.uniform(*self.sigma_voxels)}


class SectionBlurd(Augmentationd, of=SectionBlur):
    """Dictionary version of `SectionBlur`."""
