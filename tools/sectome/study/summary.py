"""Statistics over seeds: means, intervals, and paired differences from the baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import stats

from sectome.study.declaration import Arm, Study
from sectome.study.results import IDENTITY, PRETRAINING_MEASURES, Row, columns

CONFIDENCE: Final = 0.95

SUMMARY: Final = (
    *("arm", "measure", "seeds", "mean", "low", "high"),
    *("baseline", "pairs", "difference", "difference_low", "difference_high"),
)
"""Columns of `summary.csv`: mean and Student's t interval over seeds, and the same for paired differences."""

BOUNDS: Final = ("low", "high", "difference_low", "difference_high")


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and its 95 % interval (Student's t); for a single value the bounds are NaN."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def values_by_seed(arm: Arm, measure: str, rows: Sequence[Row]) -> dict[int, float]:
    """Return an arm's values of a measure by seed; for a shared pre-training's measures, only the first."""
    found = {row["seed"]: row[measure] for row in rows if row["arm"] == arm.name and measure in row}
    return dict(list(found.items())[:1]) if arm.pretraining_is_shared and measure in PRETRAINING_MEASURES else found


def summarise(study: Study, rows: Sequence[Row]) -> list[Row]:
    """Return a row for each arm and measure, see `SUMMARY`; unknown bounds are left out."""
    summary = []
    for arm in study.arms:
        for measure in columns(rows):
            values = values_by_seed(arm, measure, rows)
            if measure in IDENTITY or not values:
                continue
            row: Row = {"arm": arm.name, "measure": measure, "seeds": len(values)}
            row |= dict(zip(("mean", "low", "high"), interval(list(values.values())), strict=True))
            if (other := study.baseline_of(arm)) is not None:
                against = values_by_seed(other, measure, rows)
                pairs = [values[seed] - against[seed] for seed in values if seed in against]
                row |= {"baseline": other.name, "pairs": len(pairs)}
                if pairs:
                    names = ("difference", "difference_low", "difference_high")
                    row |= dict(zip(names, interval(pairs), strict=True))
            summary.append({key: value for key, value in row.items() if key not in BOUNDS or not math.isnan(value)})
    return summary


def table(summary: Sequence[Row], measures: Sequence[str]) -> str:
    """Return a text table of some measures: means with intervals, and differences from the baseline."""
    arms = list(dict.fromkeys(row["arm"] for row in summary))
    width = max([len(arm) for arm in arms], default=0) + 2
    lines = []
    for measure in measures:
        lines.append(f"{measure:{width}}{'mean':>9}  {'95 % interval':18}{'seeds':>5}   difference from the baseline")
        for row in summary:
            if row["measure"] != measure:
                continue
            line = f"{row['arm']:{width}}{row['mean']:9.4f}  {_bounds(row, 'low', 'high'):18}{row['seeds']:5}"
            if "difference" in row:
                bounds = _bounds(row, "difference_low", "difference_high")
                line += f"   {row['difference']:+.4f}  {bounds} from {row['baseline']}"
            lines.append(line.rstrip())
    return "\n".join(lines)


def _bounds(row: Row, low: str, high: str) -> str:
    return f"[{row[low]:.4f}, {row[high]:.4f}]" if low in row else ""
