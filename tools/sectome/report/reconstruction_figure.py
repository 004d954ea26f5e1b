"""Figure of what a masked autoencoder sees and what it reconstructs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from sectome.checks import InputError, check_same_shape, check_triple
from sectome.report.figure_style import DOTS_PER_INCH
from sectome.report.image_grid import image_grid
from sectome.report.scale_bar import draw_scale_bar
from sectome.types import Array, FloatArray

HIDDEN_TONE = (0.40, 0.53, 0.68)
"""Colour of hidden patches: flat, and not a grey value of an image."""

PANEL_WIDTH = 1.55
"""In inches."""


def reconstruction_figure(
    image: Array, masked: Array, reconstructed: Array, hidden: Array, voxel_size_nm: Iterable[float], *, crops: int = 3
) -> Figure:
    """Return a figure with a row per crop: image, masked and reconstructed, in xy and then xz through its middle.

    Args:
        image: (N, Z, Y, X) float crops.
        masked: the crops with hidden voxels set to 0.
        reconstructed: the crops as the network reconstructed them.
        hidden: (N, Z, Y, X) booleans, true for hidden voxels.
        voxel_size_nm: voxel size (z, y, x).
        crops: greatest number of rows.

    Raises:
        InputError: if the arrays do not fit each other.
    """
    if image.ndim != 4 or not len(image):
        raise InputError(f"image must be one or more crops (N, Z, Y, X), got shape {image.shape}")
    for name, array in {"masked": masked, "reconstructed": reconstructed, "hidden": hidden}.items():
        check_same_shape(image.shape, array.shape, name)
    z_nm, y_nm, x_nm = check_triple(tuple(voxel_size_nm), "voxel_size_nm")
    _, depth, height, width = image.shape
    count = min(crops, len(image))
    x_extent, extents = width * x_nm, (height * y_nm, depth * z_nm)
    titles = [f"{name}, {plane}" for plane in ("xy", "xz") for name in ("image", "masked", "reconstructed")]
    figure, panels = image_grid(
        [PANEL_WIDTH] * 6,
        [PANEL_WIDTH * max(extents) / x_extent] * count,
        titles,
        [f"crop {number}" for number in range(1, count + 1)],
        wide_gap=3,
    )
    planes = ((depth // 2,), (slice(None), height // 2))
    for crop, row in enumerate(panels):
        low, high = np.percentile(image[crop], (0.5, 99.5))
        for plane, extent, cells in zip(planes, extents, (row[:3], row[3:]), strict=True):
            cut = (crop, *plane)
            seen = tinted((masked[cut] - low) / max(high - low, 1e-6), hidden[cut].astype(bool))
            for axes, picture in zip(cells, (image[cut], seen, reconstructed[cut]), strict=True):
                # Smoothing blurs the borders of hidden patches. Only a crop with more voxels than the panel has dots
                # needs it.
                smoothing = "nearest" if width <= PANEL_WIDTH * DOTS_PER_INCH else "antialiased"
                axes.imshow(
                    picture, cmap="gray", vmin=low, vmax=high, extent=(0, x_extent, extent, 0), interpolation=smoothing
                )
            if crop == 0:
                draw_scale_bar(cells[0], x_extent, extent)
    return figure


def tinted(grey: FloatArray, hidden: Array) -> FloatArray:
    """Return an RGB picture (rows, columns, 3) of grey values 0 to 1, with hidden voxels in `HIDDEN_TONE`."""
    picture = np.repeat(np.clip(grey, 0, 1)[..., None], 3, axis=-1)
    picture[hidden] = HIDDEN_TONE
    return picture
