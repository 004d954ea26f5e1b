"""A study in one figure: a dot per seed, the mean with its interval, and the controls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from sectome.report.figure_style import COLOURS, TEXT, TITLE_POINTS, add_legend, new_figure, style_axes
from sectome.report.scores import CONTROLS
from sectome.study.declaration import Arm, Study
from sectome.study.results import IDENTITY, Row, columns
from sectome.study.summary import interval, values_by_seed

LABELS: Final = {
    "voi": "VOI (bits, lower is better)",
    "boundary_ap": "boundary AP (higher is better)",
    "masked_loss": "masked loss of the pre-training",
    "val_loss": "validation loss",
}

SMALL_POINTS: Final = 7.0

SEEDS: Final[dict[str, Any]] = {"linestyle": "", "marker": "o", "markersize": 3.5, "alpha": 0.75, "markeredgewidth": 0}
MEAN: Final[dict[str, Any]] = {"fmt": "D", "markersize": 5, "elinewidth": 1.6, "capsize": 3}

PLAIN: Final = ("value", "steps", "training_seconds", "pretraining_seconds", "parameters", "masked_loss_of_mean")
"""Columns that are not scores."""


NOTE: Final = "Small dots are seeds, diamonds their mean,\nbars its 95 % interval (Student's t)."

APART: Final = 5.0
"""Points between markers that would overlap: seeds and their mean, entries with the same number."""


def panels(study: Study, rows: Sequence[Row]) -> list[str]:
    """Return the measures to draw: VOI and boundary AP or the first two scores; masked loss if pre-trainings differ."""
    known = [name for name in columns(rows) if name not in (*IDENTITY, *PLAIN) and ": " not in name]
    first = [name for name in ("voi", "boundary_ap") if name in known]
    others = [name for name in known if name not in ("val_loss", "masked_loss")]
    starts = {arm.pretraining.name for arm in study.arms if arm.pretraining}
    last = ["masked_loss"] if "masked_loss" in known and (len(starts) > 1 or not others) else []
    return (first or others[:2] or ["val_loss"] * ("val_loss" in known)) + last


def study_figure(study: Study, rows: Sequence[Row]) -> Figure | None:
    """Return the figure of a study's finished runs, None if there are none."""
    measures = panels(study, rows)
    arms = [arm for arm in study.arms if any(row["arm"] == arm.name for row in rows)]
    if not measures or not arms:
        return None
    varied = any(arm.value is not None for arm in arms)
    height = 3.8 if varied else 1.7 + 0.36 * len(arms)
    figure = new_figure(4.2 * len(measures) + (0 if varied else 1.2), height)
    figure.suptitle(study.asks or study.name, x=0.01, ha="left", fontsize=TITLE_POINTS, color=TEXT, wrap=True)
    figure.supxlabel(NOTE, x=0.01, ha="left", fontsize=SMALL_POINTS, color=TEXT)
    grid: Any = figure.subplots(1, len(measures), squeeze=False, sharey=not varied)
    for axes, measure in zip(grid[0], measures, strict=True):
        draw = _draw_varied if varied else _draw_arms
        draw(axes, study, arms, measure, rows)
        _draw_controls(axes, measure, rows, across=not varied)
    if varied and len({arm.family for arm in arms}) > 1:
        handles, _ = grid[0, 0].get_legend_handles_labels()
        add_legend(figure, handles=handles, ncols=2 * len(measures), loc="outside lower right")
    return figure


def _draw_arms(axes: Any, study: Study, arms: Sequence[Arm], measure: str, rows: Sequence[Row]) -> None:
    """Draw arms as rows, the measure along x; the baseline's mean is a line across all rows."""
    style_axes(axes, "", LABELS.get(measure, measure), "")
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=TEXT, alpha=0.22, linewidth=0.7)
    axes.set_yticks(range(len(arms)), [arm.name for arm in arms])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.locator_params(axis="x", nbins=6)
    axes.margins(x=0.08)
    for place, arm in enumerate(arms):
        values = list(values_by_seed(arm, measure, rows).values())
        if not values:
            continue
        is_baseline = study.baseline in (arm.name, arm.family)
        colour = COLOURS[1] if is_baseline else COLOURS[0]
        mean, half = _mean(values)
        if is_baseline:
            axes.axvline(mean, color=colour, linewidth=0.9, alpha=0.6)
        axes.plot(values, [place] * len(values), transform=_moved(axes, 0, -APART), **SEEDS, color=colour)
        _make_room(axes, [(value, place) for value in values])
        axes.errorbar(mean, place, xerr=half, color=colour, **MEAN)


def _draw_varied(axes: Any, study: Study, arms: Sequence[Arm], measure: str, rows: Sequence[Row]) -> None:
    """Draw the measure over the varied number, one line per entry; arms without a number are horizontal lines."""
    style_axes(axes, "", study.varied.replace("_", " "), LABELS.get(measure, measure))
    numbers = sorted({arm.value for arm in arms if arm.value is not None})
    if numbers[0] > 0 and numbers[-1] / numbers[0] >= 10:
        axes.set_xscale("log")
    axes.set_xticks(numbers, [f"{number:g}" for number in numbers], fontsize=SMALL_POINTS, rotation=45)
    axes.minorticks_off()
    families = list(dict.fromkeys(arm.family for arm in arms))
    side = list(dict.fromkeys(arm.family for arm in arms if arm.value is not None))
    for number, family in enumerate(families):
        colour = COLOURS[number % len(COLOURS)]
        right = APART * (side.index(family) - (len(side) - 1) / 2) if family in side else 0.0
        means: list[tuple[float, float]] = []
        for arm in (arm for arm in arms if arm.family == family):
            values = list(values_by_seed(arm, measure, rows).values())
            if not values:
                continue
            mean, half = _mean(values)
            if arm.value is None:
                axes.axhline(mean, color=colour, linewidth=1.3, linestyle="--", label=family)
                axes.axhspan(mean - half, mean + half, color=colour, alpha=0.1, linewidth=0)
                continue
            place = _moved(axes, right, 0)
            axes.plot([arm.value] * len(values), values, transform=place, **SEEDS, color=colour)
            axes.errorbar(arm.value, mean, yerr=half, transform=place, color=colour, **MEAN)
            _make_room(axes, [(arm.value, value) for value in (*values, mean - half, mean + half)])
            means.append((arm.value, mean))
        if means:
            line = sorted(means)
            axes.plot(*zip(*line, strict=True), transform=_moved(axes, right, 0), color=colour, lw=1.3, label=family)


def _draw_controls(axes: Any, measure: str, rows: Sequence[Row], across: bool) -> None:
    """Draw each control's mean as a line, or state it in the title if it lies outside the axes' range."""
    limits = axes.get_xlim() if across else axes.get_ylim()
    far = []
    for control in CONTROLS:
        found = [row[f"{control}: {measure}"] for row in rows if f"{control}: {measure}" in row]
        if not found:
            continue
        mean = sum(found) / len(found)
        if not min(limits) <= mean <= max(limits):
            far.append(f"{control} {mean:.2f}")
            continue
        line = axes.axvline if across else axes.axhline
        line(mean, color=TEXT, linewidth=1, linestyle=":")
        place, frame = ((mean, 0.02), "xaxis") if across else ((1.0, mean), "yaxis")
        words: dict[str, Any] = {"rotation": 90} if across else {}
        words |= {"xycoords": getattr(axes, f"get_{frame}_transform")(), "ha": "right", "va": "bottom"}
        axes.annotate(control, place, fontsize=SMALL_POINTS, color=TEXT, **words)
    if far:
        axes.set_title(f"not in view: {', '.join(far)}", loc="left", fontsize=SMALL_POINTS, color=TEXT)


def _moved(axes: Any, right: float, up: float) -> Any:
    """Return the transform of data coordinates, shifted by some points on the page."""
    return offset_copy(axes.transData, axes.figure, right, up, units="points")


def _make_room(axes: Any, points: Sequence[tuple[float, float]]) -> None:
    """Extend the axes' limits to shifted markers, which autoscaling would overlook."""
    axes.update_datalim(points)
    axes.autoscale_view()


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and half its interval's width, 0 if there is none."""
    mean, low, _ = interval(values)
    return mean, 0.0 if math.isnan(low) else mean - low
