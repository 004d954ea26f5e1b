"""Figure of the patches that each kind of mask hides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure

from sectome.masking import MASK_KINDS, draw_mask
from sectome.report.gallery_figure import Panel, Picture, gallery_figure
from sectome.report.overlay_figure import grey_values
from sectome.report.reconstruction_figure import tinted
from sectome.types import Array

MASK_RATIO = 0.75


def mask_figure(image: Array, voxel_size_nm: Sequence[float], patch_size: Sequence[int], seed: int = 0) -> Figure:
    """Return a figure with a column per kind of mask: a section in the first row, an xz cut in the second.

    Args:
        image: (Z, Y, X) grey values; voxels beyond the last whole patch are left out.
        voxel_size_nm: voxel size (z, y, x).
        patch_size: patch size (z, y, x) in voxels.
        seed: seed of the masks.
    """
    grid = tuple(length // patch for length, patch in zip(image.shape, patch_size, strict=True))
    z, y, x = (tokens * patch for tokens, patch in zip(grid, patch_size, strict=True))
    [grey] = grey_values([image[:z, :y, :x]])
    z_nm, y_nm, x_nm = (length * size for length, size in zip((z, y, x), voxel_size_nm, strict=True))
    rows: list[list[Panel]] = [[], []]
    for kind in MASK_KINDS:
        _, ids_masked = draw_mask(kind, 1, grid, MASK_RATIO, generator=torch.Generator().manual_seed(seed))
        hidden = np.zeros(np.prod(grid), bool)
        hidden[ids_masked[0].numpy()] = True
        voxels = np.kron(hidden.reshape(grid), np.ones(patch_size, bool)).astype(bool)
        rows[0].append(Picture(tinted(grey[z // 2], voxels[z // 2]), y_nm, x_nm))
        rows[1].append(Picture(tinted(grey[:, y // 2], voxels[:, y // 2]), z_nm, x_nm))
    title = (
        f"mask_ratio {MASK_RATIO}, patches of {' x '.join(map(str, patch_size))} voxels, blocks of 2 x 2 x 2 patches"
    )
    return gallery_figure(title, list(MASK_KINDS), [f"section {z // 2}", "xz"], rows)
