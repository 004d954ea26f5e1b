"""Compiled histograms of the affinities of edges in 256 levels, for scores that need more than a sum.

Numba recompiles a cached function only when its own file changes. After a change here, delete the `__pycache__` of the
modules that import this one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.edge_records import NONE
from sectome.postprocess.scoring import MEAN, QUANTILE
from sectome.types import Array


def edge_histograms(levels: Array | None, edges: Array) -> tuple[Array, Array]:
    """Return levels and their counts, edge by edge, and set the start and number of levels of each edge."""
    if levels is None:
        return np.empty(0, np.uint8), np.empty(0, np.int64)
    ends = np.cumsum(edges["count"])
    begins = np.ones(len(levels), np.bool_)
    begins[1:] = levels[1:] != levels[:-1]
    begins[ends[:-1][ends[:-1] < len(levels)]] = True
    places = np.flatnonzero(begins)
    edges["start"] = np.searchsorted(places, ends - edges["count"])
    edges["levels"] = np.searchsorted(places, ends) - edges["start"]
    return levels[places], np.diff(np.append(places, len(levels)))


@njit(cache=True, nogil=True, inline="always")
def score_of(edge: Any, unit: float, kind: int, number: int, bins: Any, amounts: Any) -> float:
    """Return the score of an edge with at least one affinity, in 0..1."""
    if kind == MEAN:
        return edge.sum / (edge.count * unit)
    if kind == QUANTILE:
        left, place = min(edge.count, number * edge.count // 100 + 1), edge.start
        while left > amounts[place]:
            left -= amounts[place]
            place += 1
        return bins[place] / 255.0
    wanted = min(number, edge.count)
    left, total, place = wanted, 0.0, edge.start + edge.levels - 1
    while left > 0:
        taken = min(left, amounts[place])
        total += taken * bins[place]
        left -= taken
        place -= 1
    return total / (255.0 * wanted)


@njit(cache=True, nogil=True)
def room_for(more: int, used: int, edges: Any, bins: Any, amounts: Any) -> Any:
    """Return pools of levels and counts with room for `more` levels, and their used size; drop those of dead edges."""
    if used + more <= bins.size:
        return bins, amounts, used
    living = 0
    for index in range(len(edges)):
        if edges[index].one != NONE:
            living += edges[index].levels
    new_bins, new_amounts = np.empty(2 * living + more, np.uint8), np.empty(2 * living + more, np.int64)
    used = 0
    for index in range(len(edges)):
        edge = edges[index]
        if edge.one != NONE:
            for place in range(edge.start, edge.start + edge.levels):
                new_bins[used + place - edge.start], new_amounts[used + place - edge.start] = (
                    bins[place],
                    amounts[place],
                )
            edge.start = used
            used += edge.levels
    return new_bins, new_amounts, used


@njit(cache=True, nogil=True)
def unite_histograms(one: Any, other: Any, bins: Any, amounts: Any, used: int) -> int:
    """Append the sum of two histograms to the pool, make it the histogram of `one`, and return the new used size."""
    first, second = one.start, other.start
    first_end, second_end = first + one.levels, second + other.levels
    start = used
    while first < first_end or second < second_end:
        level, amount = 256, np.int64(0)
        if first < first_end:
            level = int(bins[first])
        if second < second_end:
            level = min(level, int(bins[second]))
        if first < first_end and bins[first] == level:
            amount += amounts[first]
            first += 1
        if second < second_end and bins[second] == level:
            amount += amounts[second]
            second += 1
        bins[used], amounts[used] = level, amount
        used += 1
    one.start, one.levels = start, used - start
    return used
