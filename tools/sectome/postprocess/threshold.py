"""Thresholds given as numbers or as percentiles of the values to compare."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit

from sectome.checks import InputError, check_within
from sectome.types import Array

Threshold: TypeAlias = float | str
"""A number in 0..1, or a percentile of the values such as "99.5%", which transfers better between networks."""

_LEVELS = 1 << 16


@njit(cache=True, nogil=True)
def _count_levels(values: Any, scale: float, counts: Any) -> None:
    """Count flat values by level, with `scale` levels per unit."""
    for value in values:
        counts[min(counts.size - 1, max(0, int(value * scale)))] += 1


def check_threshold(threshold: Threshold, name: str) -> Threshold:
    """Return a threshold, or raise an `InputError` with its `name` if it is neither in 0..1 nor in 0%..100%."""
    if not isinstance(threshold, str):
        return check_within(threshold, 0, 1, name)
    try:
        percent = float(threshold.removesuffix("%")) if threshold.endswith("%") else -1.0
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise InputError(f"{name} must be a number in 0..1 or a percentile as in '99.5%', got {threshold!r}")
    return threshold


def threshold_of(threshold: Threshold, values: Array, name: str) -> float:
    """Return a threshold as a number in 0..1.

    Args:
        threshold: number or percentile.
        values: values of which a percentile is taken, any shape; uint8, or floats in 0..1, resolved to 1/65536.
        name: name of the threshold, for errors.

    Raises:
        InputError: as `check_threshold`.
    """
    checked = check_threshold(threshold, name)
    if not isinstance(checked, str):
        return checked
    counts = np.zeros(256 if values.dtype == np.uint8 else _LEVELS, np.int64)
    top = counts.size - 1
    _count_levels(values.reshape(-1), 1.0 if values.dtype == np.uint8 else float(top), counts)
    # 0% is the smallest value, which has rank 1.
    rank = max(1.0, float(checked.removesuffix("%")) * values.size / 100)
    return int(np.searchsorted(np.cumsum(counts), rank).clip(0, top)) / top
