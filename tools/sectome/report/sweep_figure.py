"""Figure of scores over the agglomeration threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from sectome.report.figure_style import COLOURS, TEXT, add_legend, new_figure, style_axes
from sectome.report.scores import NEURONS, Scores

LINE: Any = {"linewidth": 1.8, "marker": "o", "markersize": 2.5}

PLOTTED = {"voi_split": COLOURS[0], "voi_merge": COLOURS[1], "voi_sum": TEXT}


def sweep_figure(arms: Mapping[str, Scores]) -> Figure:
    """Return a figure with a row per arm: VOI and ARE over the threshold, with the chosen one marked."""
    figure = new_figure(9.4, 0.5 + 2.3 * len(arms))
    # Shared axes let the eye compare arms.
    grid: Any = figure.subplots(len(arms), 2, squeeze=False, sharex=True, sharey="col")
    for row, (name, scores) in enumerate(arms.items()):
        (voi, are), sweep, chosen = grid[row], scores.sweep, scores.threshold
        thresholds = [point["threshold"] for point in sweep]
        x_label = "threshold" if row == len(arms) - 1 else ""
        style_axes(voi, name, x_label, "VOI (bits)")
        style_axes(are, "", x_label, "ARE")
        for measure, colour in PLOTTED.items():
            values = [point[measure] for point in sweep]
            voi.plot(thresholds, values, color=colour, label=NEURONS[measure], **LINE)
        are.plot(thresholds, [point["are"] for point in sweep], color=COLOURS[2], **LINE)
        for axes in (voi, are):
            axes.axvline(chosen, color=TEXT, linewidth=1, linestyle=(0, (4, 3)))
        place = {"xy": (chosen, 1), "xycoords": are.get_xaxis_transform(), "textcoords": "offset points"}
        are.annotate(f"chosen {chosen:g}", xytext=(4, -2), va="top", fontsize=8, color=TEXT, **place)
    # Set last: an earlier limit would cut off what a later arm adds to the shared axes.
    for axes in grid[0]:
        axes.set_ylim(bottom=0)
    handles, _ = grid[0, 0].get_legend_handles_labels()
    add_legend(figure, handles=handles, ncols=3, loc="outside upper left")
    return figure
