"""Scores: the affinities between two segments as one number."""

from __future__ import annotations

import re
from typing import NamedTuple

from sectome.checks import InputError

MEAN, QUANTILE, MAX = range(3)


class Scoring(NamedTuple):
    """Scoring by MEAN, QUANTILE (of `number` percent) or MAX (mean of the `number` greatest)."""

    kind: int
    number: int


def parse_scoring(name: str) -> Scoring:
    """Return the scoring of a name such as "mean", "quantile_75" or "max_10".

    Raises:
        InputError: if the name is none of these, the percentage is not within 0..100, or the number is 0.
    """
    match = re.fullmatch(r"(quantile|max)_(\d+)", str(name))
    if name == "mean":
        return Scoring(MEAN, 0)
    if match and match[1] == "quantile" and int(match[2]) <= 100:
        return Scoring(QUANTILE, int(match[2]))
    if match and match[1] == "max" and int(match[2]):
        return Scoring(MAX, int(match[2]))
    raise InputError(f"scoring must be mean, quantile_Q with Q in 0..100 (as in quantile_75), or max_K, got {name!r}")
