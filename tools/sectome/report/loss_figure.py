"""Figure of the losses and learning rates of runs over iterations."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sectome.report.figure_style import COLOURS, TEXT, add_legend, new_figure, style_axes
from sectome.report.runs import Run

LEGEND_LETTERS = 120
"""Approximate number of letters in a row of the legend."""

LINES = ("-", "--", ":")


def loss_figure(runs: Sequence[Run]) -> Figure:
    """Return a figure of the runs' training and validation losses, with a smaller plot of learning rates."""
    columns = max(1, LEGEND_LETTERS // (max(len(run.name) for run in runs) + 8))
    legend_rows = -(-(len(runs) + 2) // columns)
    figure = new_figure(9.4, 3.1 + 0.22 * legend_rows)
    losses, rates = figure.subplots(1, 2, width_ratios=(3, 1))
    style_axes(losses, "Loss", "iteration", "")
    style_axes(rates, "Learning rate", "iteration", "")
    names = sorted({row[2] for run in runs for row in run.history if row[2].startswith("learning_rate")})
    handles = []
    for number, run in enumerate(runs):
        colour = COLOURS[number % len(COLOURS)]
        losses.plot(*_columns(run, "loss"), color=colour, linewidth=1, alpha=0.55)
        losses.plot(*_columns(run, "val_loss"), color=colour, linewidth=1.8, marker="o", markersize=3.5)
        handles.append(Line2D([], [], color=colour, linewidth=1.8, label=run.name))
        # Arms often share a schedule. The first is drawn widest, so that it shows below the others.
        width = 1.3 + 1.8 * (len(runs) - 1 - number) / max(len(runs) - 1, 1)
        for name, line in zip(names, LINES * len(names), strict=False):
            rates.plot(*_columns(run, name), color=colour, linewidth=width, linestyle=line)
    handles += [
        Line2D([], [], color=TEXT, linewidth=1, alpha=0.55, label="training"),
        Line2D([], [], color=TEXT, linewidth=1.8, marker="o", markersize=3.5, label="validation"),
    ]
    # Outside of the plot, where a long run name cannot hide a line.
    add_legend(figure, handles=handles, ncols=columns, loc="outside upper left")
    if len(names) > 1:
        parts = [name.removeprefix("learning_rate").strip() or "all" for name in names]
        lines = zip(parts, LINES * len(parts), strict=False)
        add_legend(rates, handles=[Line2D([], [], color=TEXT, linestyle=line, label=part) for part, line in lines])
    rates.locator_params(nbins=4)
    rates.yaxis.set_major_formatter("{x:g}")
    return figure


def _columns(run: Run, name: str) -> tuple[list[int], list[float]]:
    series = run.series(name)
    return [iteration for iteration, _ in series], [value for _, value in series]
