"""Figure of titled rows and columns of pictures, as a file small enough for documentation."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from sectome.report.figure_style import LABEL_POINTS, TEXT, png_bytes
from sectome.report.image_grid import MARGIN_LEFT, image_grid
from sectome.report.label_colours import blend_labels
from sectome.report.scale_bar import draw_scale_bar
from sectome.types import Array, FloatArray, LabelArray

PANEL_DOTS = 256
"""Dots along the longer edge of a picture: two per voxel of a piece 128 voxels wide."""

PANEL_INCHES = 2.0

LINE_INCHES = 0.17
GREYS = 48
"""Grey levels of a picture; more would not be visible, and their noise would make the file large."""

PICTURE_COLOURS = 240
"""Colours for pictures in a file's palette of 256; the rest is for text."""

UNLABELLED_TONE = (0.93, 0.93, 0.93)
"""Colour of unlabelled voxels: brighter than tissue, and not the colour of any label."""


@dataclass(frozen=True)
class Picture:
    """One picture: grey (rows, columns) or RGB (rows, columns, 3) values from 0 to 1, with its size in nm."""

    values: FloatArray
    height_nm: float
    width_nm: float
    caption: str = ""


@dataclass(frozen=True)
class Histogram:
    """A histogram of grey values, drawn in the place of a picture.

    Attributes:
        values: grey values of any shape.
        span: limits of the axis; those of the values if `None`.
    """

    values: FloatArray
    span: tuple[float, float] | None = None


Panel = Picture | Histogram


def gallery_figure(
    title: str, columns: Sequence[str], rows: Sequence[str], panels: Sequence[Sequence[Panel]]
) -> Figure:
    """Return a figure of panels by row and column, all pictures at one scale.

    Args:
        title: title of the figure.
        columns: titles of the columns.
        rows: titles of the rows.
        panels: panels by row and column; each row has at least one picture.
    """
    pictures = [[panel for panel in row if isinstance(panel, Picture)] for row in panels]
    widest = max(max(picture.height_nm, picture.width_nm) for row in pictures for picture in row)
    inches = PANEL_INCHES / widest
    heights = [inches * max(picture.height_nm for picture in row) for row in pictures]
    widths = [
        inches * max((panel.width_nm for panel in column if isinstance(panel, Picture)), default=widest)
        for column in zip(*panels, strict=True)
    ]
    figure, axes = image_grid(widths, heights, columns, rows)
    figure.set_dpi(PANEL_DOTS / PANEL_INCHES)
    for row, (cells, parts) in enumerate(zip(axes, panels, strict=True)):
        for column, (cell, panel) in enumerate(zip(cells, parts, strict=True)):
            if isinstance(panel, Histogram):
                _draw_histogram(cell, panel)
            else:
                _draw_picture(cell, panel, scale_bar=row == column == 0)
    _add_title(figure, title)
    return figure


def small_png(figure: Figure) -> bytes:
    """Return the figure as a PNG with a palette; the same figure gives the same bytes.

    Pictures are opaque and get most of the palette. The rest is text, in one colour at several opacities.
    """
    dots = np.asarray(Image.open(io.BytesIO(png_bytes(figure))))
    opaque = dots[..., 3] == 255
    pictures = Image.fromarray(np.where(opaque[..., None], dots[..., :3], 0).astype(np.uint8))
    reduced = pictures.quantize(PICTURE_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    strengths = 256 - PICTURE_COLOURS
    strength = np.round(dots[..., 3] / 255 * (strengths - 1)).astype(np.uint8)
    result = Image.fromarray(np.where(opaque, np.asarray(reduced), PICTURE_COLOURS + strength).astype(np.uint8), "P")
    text = [int(TEXT[start : start + 2], 16) for start in (1, 3, 5)]
    colours = (reduced.getpalette() or [])[: 3 * PICTURE_COLOURS]
    result.putpalette(colours + [0] * (3 * PICTURE_COLOURS - len(colours)) + text * strengths)
    alphas = [255] * PICTURE_COLOURS + [round(255 * step / (strengths - 1)) for step in range(strengths)]
    small = io.BytesIO()
    result.save(small, "PNG", optimize=True, transparency=bytes(alphas))
    return small.getvalue()


def grey_picture(values: Array, limits: tuple[float, float]) -> FloatArray:
    """Return grey values scaled from `limits` to 0..1 and rounded to `GREYS` levels."""
    low, high = limits
    fraction = np.clip((values.astype(np.float64) - low) / max(high - low, 1e-6), 0, 1)
    steps: FloatArray = np.round(fraction * (GREYS - 1)) / (GREYS - 1)
    return steps


def label_picture(grey: FloatArray, labels: LabelArray) -> FloatArray:
    """Return labels blended over a grey picture, with unlabelled voxels (negative) in `UNLABELLED_TONE`."""
    picture = blend_labels(grey, np.maximum(labels, 0), alpha=0.5)
    picture[labels < 0] = UNLABELLED_TONE
    return picture


def _draw_picture(axes: Any, picture: Picture, *, scale_bar: bool) -> None:
    extent = (0, picture.width_nm, picture.height_nm, 0)
    axes.imshow(picture.values, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
    if scale_bar:
        draw_scale_bar(axes, picture.width_nm, picture.height_nm)
    if picture.caption:
        rim = [withStroke(linewidth=2, foreground="#000000b0")]
        style: Any = {"fontsize": LABEL_POINTS - 1, "color": "white", "transform": axes.transAxes, "path_effects": rim}
        axes.text(0.97, 0.03, picture.caption, ha="right", va="bottom", **style)


def _draw_histogram(axes: Any, histogram: Histogram) -> None:
    counts, edges = np.histogram(histogram.values, bins=48, range=histogram.span)
    axes.stairs(counts / counts.max(), edges, fill=True, color=TEXT)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(-0.16, 1.3)
    style: Any = {"fontsize": LABEL_POINTS - 1, "color": TEXT, "va": "top", "transform": axes.transAxes}
    axes.text(0, 0.1, f"{edges[0]:.3g}", ha="left", **style)
    axes.text(1, 0.1, f"{edges[-1]:.3g}", ha="right", **style)
    mean, deviation = histogram.values.mean(), histogram.values.std()
    axes.text(0.5, 1, f"mean {mean:.2f}, deviation {deviation:.2f}", ha="center", **style)


def _add_title(figure: Figure, title: str) -> None:
    """Make the figure higher for the lines of a title, and rescale the positions in it, which are fractions."""
    width, height = figure.get_size_inches()
    points = LABEL_POINTS - 0.5
    # A letter of the monospaced font is 0.6 times as wide as high.
    lines = textwrap.wrap(title, int((width - MARGIN_LEFT) * 72 / (0.61 * points)), subsequent_indent="    ")
    whole = height + 0.08 + LINE_INCHES * len(lines)
    for axes in figure.axes:
        box = axes.get_position()
        axes.set_position((box.x0, box.y0 * height / whole, box.width, box.height * height / whole))
    for text in figure.texts:
        text.set_y(text.get_position()[1] * height / whole)
    figure.set_size_inches(width, whole)
    style: Any = {"fontsize": points, "color": TEXT, "family": "monospace", "linespacing": 1.2}
    figure.text(MARGIN_LEFT / width, 1 - 0.05 / whole, "\n".join(lines), ha="left", va="top", **style)
