"""Figure of a network's prediction for a crop beside the targets, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from sectome.checks import InputError, check_same_shape, check_triple
from sectome.report.image_grid import image_grid
from sectome.report.label_colours import blend_labels
from sectome.report.overlay_figure import grey_values
from sectome.report.reconstruction_figure import tinted
from sectome.report.scale_bar import draw_scale_bar
from sectome.types import Array

PANEL_WIDTH = 1.8
"""In inches."""


def prediction_figure(
    image: Array,
    labels: Array,
    targets: Array,
    valid: Array,
    predicted: Array,
    names: Sequence[str],
    voxel_size_nm: Sequence[float],
) -> Figure:
    """Return a figure with a column per channel: target above prediction, in xy and then xz through the crop's middle.

    The first column shows the image, in the rows of targets with the labels. Unknown parts of a target are flat blue.

    Args:
        image: (Z, Y, X) grey values.
        labels: (Z, Y, X) integers; 0 is background.
        targets: (K, Z, Y, X), 0 or 1.
        valid: mask of the same shape, 1 where the target is known.
        predicted: predictions of the same shape, 0 to 1.
        names: K channel names.
        voxel_size_nm: voxel size (z, y, x).

    Raises:
        InputError: if the arrays do not fit each other.
    """
    if image.ndim != 3:
        raise InputError(f"image must be a crop (Z, Y, X), got shape {image.shape}")
    check_same_shape(image.shape, labels.shape, "labels")
    for kind, maps in {"targets": targets, "valid": valid, "prediction": predicted}.items():
        check_same_shape((len(names), *image.shape), maps.shape, kind)
    z_nm, y_nm, x_nm = check_triple(tuple(voxel_size_nm), "voxel_size_nm")
    depth, height, width = image.shape
    x_extent, extents = width * x_nm, (height * y_nm, depth * z_nm)
    titles = [f"{kind}, {plane}" for plane in ("xy", "xz") for kind in ("target", "predicted")]
    figure, panels = image_grid(
        [PANEL_WIDTH] * (1 + len(names)),
        [PANEL_WIDTH * extent / x_extent for extent in extents for _ in range(2)],
        ["image", *names],
        titles,
    )
    planes = ((..., depth // 2, slice(None), slice(None)), (..., slice(None), height // 2, slice(None)))
    for number, (plane, extent) in enumerate(zip(planes, extents, strict=True)):
        above, below = panels[2 * number : 2 * number + 2]
        [grey] = grey_values([image[plane]])
        wanted = map(tinted, targets[plane].astype(np.float32), valid[plane] == 0)
        rows = (
            (above, [blend_labels(grey, labels[plane].clip(0)), *wanted]),
            (below, [grey, *predicted[plane]]),
        )
        for row, pictures in rows:
            for axes, picture in zip(row, pictures, strict=True):
                axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=(0, x_extent, extent, 0))
        draw_scale_bar(below[0], x_extent, extent)
    return figure
