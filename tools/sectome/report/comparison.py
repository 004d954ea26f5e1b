"""Comparison of pre-trained arms with arms from scratch, and its limits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from sectome.report.runs import Run

FREE = ("pretrained", "seed")
"""Settings that may differ in a fair comparison: the one under study, and the seed of a repeat."""


@dataclass(frozen=True)
class Comparison:
    """Arms scored on the same test volumes; `differing` names the settings, other than `FREE`, that differ."""

    pretrained: Sequence[Run]
    scratch: Sequence[Run]
    method: str
    differing: Sequence[str]

    def values(self, runs: Sequence[Run], measure: str) -> list[float]:
        """Return a measure of each run, for the compared method."""
        return [run.scores.methods[self.method][measure] for run in runs if run.scores]

    def difference(self, measure: str) -> float:
        """Return the mean of pre-trained runs minus that of runs from scratch; below 0, pre-trained is better."""
        return fmean(self.values(self.pretrained, measure)) - fmean(self.values(self.scratch, measure))

    def verdict(self, measure: str) -> str:
        """Return "better by 0.120", "worse by 0.120", "no difference" (to three decimals) or "not comparable"."""
        difference = round(self.difference(measure), 3)
        if math.isnan(difference):
            return "not comparable"
        if difference == 0:
            return "no difference"
        return f"{'better' if difference < 0 else 'worse'} by {abs(difference):.3f}"

    def caveat(self) -> str:
        """Return sentences on the limits of the comparison."""
        seeds = sorted(
            {str(run.settings["seed"]) for run in (*self.pretrained, *self.scratch) if "seed" in run.settings}
        )
        named = f" (seed {' and '.join(seeds)})" if seeds else ""
        if len(self.pretrained) == len(self.scratch) == 1:
            text = f"This is one run each{named}: how much scores vary between seeds was not measured."
        else:
            counts = f"{len(self.pretrained)} pre-trained and {len(self.scratch)} from scratch"
            better, worse = self.values(self.pretrained, "voi_sum"), self.values(self.scratch, "voi_sum")
            apart = max(better) < min(worse) or max(worse) < min(better)
            text = f"Means over few runs ({counts}); the ranges of VOI sum {'do not overlap' if apart else 'overlap'}."
        encoders = {run.settings["pretrained"] for run in self.pretrained}
        if len(encoders) > 1:
            text += f" The pre-trained runs start from {len(encoders)} different encoders."
        if self.differing:
            text += f" The arms also differ in {', '.join(self.differing)}, so the difference has more than one cause."
        return text


def compare(runs: Iterable[Run]) -> list[Comparison]:
    """Return a comparison for each set of scored arms of neurons that differ only in `FREE`.

    If no such set holds both pre-trained arms and arms from scratch, all arms with equal test volumes are compared, and
    differing settings are named. Arms that continue from a whole model are left out.
    """
    scored = [
        run
        for run in runs
        if run.scores is not None and run.scores.predictions and not run.finds_mitochondria and not run.goes_on
    ]
    fair = _compare_groups(scored, with_settings=True)
    return fair or _compare_groups(scored, with_settings=False)


def differing_settings(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the sorted names of the settings that differ between runs."""
    names = sorted({name for values in settings for name in values})
    return [name for name in names if len({_plain(values.get(name)) for values in settings}) > 1]


def _compare_groups(scored: Sequence[Run], with_settings: bool) -> list[Comparison]:
    groups: dict[str, list[Run]] = {}
    for run in scored:
        settings = {name: value for name, value in run.settings.items() if name not in FREE}
        test = run.scores.test if run.scores else ()
        groups.setdefault(_plain([list(test), settings if with_settings else None]), []).append(run)
    comparisons = []
    for group in groups.values():
        pretrained = [run for run in group if run.pretrained]
        scratch = [run for run in group if not run.pretrained]
        methods = [run.scores.predictions for run in group if run.scores]
        shared = [method for method in methods[0] if all(method in others for others in methods)]
        if pretrained and scratch and shared:
            differing = [name for name in differing_settings([run.settings for run in group]) if name not in FREE]
            comparisons.append(Comparison(pretrained, scratch, shared[0], differing))
    return comparisons


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
