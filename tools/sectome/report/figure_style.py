"""Style of all figures: fonts and colours that are legible on light and dark pages.

Only matplotlib's objects are used, never pyplot, so that a report does not change the state of the calling program.
"""

from __future__ import annotations

import io
from typing import Any, Final

from matplotlib.figure import Figure

TEXT: Final = "#70757d"
"""Grey with about equal contrast to white and black, as figures are transparent."""

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours that colour-blind readers can distinguish, darker ones first (Okabe and Ito 2008)."""

TITLE_POINTS: Final = 9.5
LABEL_POINTS: Final = 8.5

DOTS_PER_INCH: Final = 180
"""About two dots per pixel of a page, for sharp screens and print."""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty transparent figure of a size in inches."""
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="none", layout="constrained")


def style_axes(axes: Any, title: str, x_label: str, y_label: str) -> None:
    """Set the fonts and colours of a plot's axes."""
    axes.set_facecolor("none")
    axes.set_title(title, loc="left", fontsize=TITLE_POINTS, fontweight="bold", color=TEXT, pad=8)
    axes.set_xlabel(x_label, fontsize=LABEL_POINTS, color=TEXT)
    axes.set_ylabel(y_label, fontsize=LABEL_POINTS, color=TEXT)
    axes.tick_params(labelsize=LABEL_POINTS, colors=TEXT, length=3, width=0.8)
    axes.grid(axis="y", color=TEXT, alpha=0.22, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(TEXT)


def add_legend(place: Any, **options: Any) -> None:
    """Add a legend without a box to axes or to a figure."""
    place.legend(frameon=False, fontsize=LABEL_POINTS, labelcolor=TEXT, **options)


def png_bytes(figure: Figure) -> bytes:
    """Return the figure as a PNG with a transparent background; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", transparent=True)
    return buffer.getvalue()
