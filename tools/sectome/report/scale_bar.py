"""Scale bar of round length for pictures whose axes are in nm."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.patheffects import withStroke


def round_length_nm(extent_nm: float) -> float:
    """Return the longest of the lengths 1, 2, 5, 10, 20... nm that is at most a third of the extent."""
    limit = extent_nm / 3
    power: float = 10.0 ** math.floor(math.log10(limit))
    return max(step * power for step in (1, 2, 5) if step * power <= limit)


def format_length(length_nm: float) -> str:
    """Return a length with its unit: nm below a micrometre, µm from there on."""
    return f"{length_nm:g} nm" if length_nm < 1000 else f"{length_nm / 1000:g} µm"


def draw_scale_bar(axes: Any, width_nm: float, height_nm: float) -> None:
    """Draw a white bar with a dark rim and its length at the lower left of a picture with extents in nm.

    A picture too flat for both gets none; it is shown beside one of the same scale.
    """
    if height_nm < 0.25 * width_nm:
        return
    length = round_length_nm(width_nm)
    rim = [withStroke(linewidth=3.5, foreground="#000000b0")]
    left, bottom = 0.05 * width_nm, height_nm - 0.05 * width_nm
    axes.plot(
        [left, left + length], [bottom, bottom], color="white", linewidth=2.2, solid_capstyle="butt", path_effects=rim
    )
    place = (left + length / 2, bottom - 0.025 * width_nm)
    rim = [withStroke(linewidth=2, foreground="#000000b0")]
    text = format_length(length)
    axes.text(*place, text, color="white", fontsize=8, ha="center", va="bottom", path_effects=rim)
