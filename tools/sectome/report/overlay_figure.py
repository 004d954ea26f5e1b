"""Raw, affinities, segmentation and truth side by side, in xy and xz, where errors look different."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from sectome.checks import InputError, check_same_shape, check_triple
from sectome.report.image_grid import image_grid
from sectome.report.label_colours import blend_labels
from sectome.report.matched_labels import match_labels
from sectome.report.runs import FOREGROUND_OVERLAYS, OVERLAYS, PLANES
from sectome.report.scale_bar import draw_scale_bar
from sectome.types import Array, FloatArray

PANEL_WIDTH = 2.4
"""In inches."""


def overlay_figure(overlays: Mapping[str, Array]) -> Figure:
    """Return a figure: columns raw, affinity or foreground, segmentation, truth; rows xy and xz at true proportions.

    A segment that matches a true object best has that object's colour.

    Args:
        overlays: 2D arrays `raw_xy`, `affinity_xy` or `foreground_xy` (0 to 1), `segmentation_xy` and `truth_xy`
            (integers, 0 is background), the same with `xz`, and `voxel_size_nm` (z, y, x). Columns are x, rows y or z.

    Raises:
        InputError: if an array is missing or does not fit the others.
    """
    columns = FOREGROUND_OVERLAYS if "foreground_xy" in overlays else OVERLAYS
    names = [f"{name}_{plane}" for plane in PLANES for name in columns]
    for name in (*names, "voxel_size_nm"):
        if name not in overlays:
            raise InputError(f"overlays must hold {name!r}, got {sorted(overlays)}")
    for plane in PLANES:
        if overlays[f"raw_{plane}"].ndim != 2:
            raise InputError(f"raw_{plane} must have 2 axes, got shape {overlays[f'raw_{plane}'].shape}")
        for name in columns:
            check_same_shape(overlays[f"raw_{plane}"].shape, overlays[f"{name}_{plane}"].shape, f"{name}_{plane}")
        for name in (f"segmentation_{plane}", f"truth_{plane}"):
            if not np.issubdtype(overlays[name].dtype, np.integer):
                raise InputError(f"{name} must hold integers, got {overlays[name].dtype}")
    z_nm, y_nm, x_nm = check_triple(tuple(overlays["voxel_size_nm"]), "voxel_size_nm")
    # One scale for both planes, so that lengths are comparable between rows.
    extents = {plane: overlays[f"raw_{plane}"].shape[1] * x_nm for plane in PLANES}
    inches_per_nm = PANEL_WIDTH / max(extents.values())
    depths = {"xy": overlays["raw_xy"].shape[0] * y_nm, "xz": overlays["raw_xz"].shape[0] * z_nm}
    grey = dict(zip(PLANES, grey_values([overlays[f"raw_{plane}"] for plane in PLANES]), strict=True))
    truths = [overlays[f"truth_{plane}"] for plane in PLANES]
    segmentations = match_labels([overlays[f"segmentation_{plane}"] for plane in PLANES], truths)
    figure, panels = image_grid(
        [PANEL_WIDTH] * len(columns), [depths[plane] * inches_per_nm for plane in PLANES], columns, PLANES
    )
    for plane, row, segmentation, truth in zip(PLANES, panels, segmentations, truths, strict=True):
        pictures = (
            grey[plane],
            np.clip(np.nan_to_num(overlays[f"{columns[1]}_{plane}"].astype(np.float32)), 0, 1),
            blend_labels(grey[plane], segmentation),
            blend_labels(grey[plane], truth),
        )
        for axes, picture in zip(row, pictures, strict=True):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=(0, extents[plane], depths[plane], 0))
        draw_scale_bar(row[0], extents[plane], depths[plane])
    return figure


def grey_values(images: list[Array]) -> list[FloatArray]:
    """Return the images scaled to 0..1 between the 0.5th and 99.5th percentiles of all of them together."""
    values = np.concatenate([image.ravel() for image in images]).astype(np.float64)
    low, high = np.percentile(values[np.isfinite(values)], (0.5, 99.5)) if np.isfinite(values).any() else (0.0, 1.0)
    scale = max(high - low, 1e-6)
    return [np.clip(np.nan_to_num((image.astype(np.float64) - low) / scale), 0, 1) for image in images]
