"""Grid of panels for pictures, each at its true proportions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from sectome.report.figure_style import DOTS_PER_INCH, TEXT, TITLE_POINTS

GAP = 0.07
"""Gap between panels in inches."""

MARGIN_TOP = 0.30
MARGIN_LEFT = 0.30


def image_grid(
    widths: Sequence[float], heights: Sequence[float], columns: Sequence[str], rows: Sequence[str], wide_gap: int = 0
) -> tuple[Figure, list[list[Any]]]:
    """Return a figure of empty panels without visible axes, and the panels by row and column.

    Positions are computed here, because matplotlib's layout would leave gaps around pictures of fixed proportions.

    Args:
        widths: column widths in inches.
        heights: row heights in inches.
        columns: titles above the columns.
        rows: titles left of the rows, read upwards.
        wide_gap: columns before a wider gap; 0 is none.
    """
    lefts, x = [], MARGIN_LEFT
    for column, width in enumerate(widths):
        x += 3 * GAP if wide_gap and column == wide_gap else 0
        lefts.append(x)
        x += width + GAP
    tops, y = [], MARGIN_TOP
    for height in heights:
        tops.append(y)
        y += height + GAP
    full_width, full_height = x - GAP, y - GAP
    figure = Figure(figsize=(full_width, full_height), dpi=DOTS_PER_INCH, facecolor="none")
    panels: list[list[Any]] = []
    style: Any = {"fontsize": TITLE_POINTS, "fontweight": "bold", "color": TEXT}
    for top, height, row in zip(tops, heights, rows, strict=True):
        panels.append([])
        for left, width in zip(lefts, widths, strict=True):
            bottom = full_height - top - height
            box = (left / full_width, bottom / full_height, width / full_width, height / full_height)
            axes = figure.add_axes(box)
            axes.set_axis_off()
            panels[-1].append(axes)
        middle = 1 - (top + height / 2) / full_height
        figure.text(0.09 / full_width, middle, row, rotation=90, ha="center", va="center", **style)
    for left, column_title in zip(lefts, columns, strict=True):
        place = (left / full_width, 1 - (MARGIN_TOP - 0.09) / full_height)
        figure.text(*place, column_title, ha="left", va="bottom", **style)
    return figure, panels
