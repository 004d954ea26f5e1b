"""Positions of the windows of a sliding-window prediction, and the weights of their voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sectome.checks import InputError, check_below_one, check_choice, check_whole_triple
from sectome.types import FloatArray, Shape3

BLENDINGS = ("gaussian", "linear", "constant")

SIGMA_SCALE = 0.125
"""Standard deviation of the Gaussian as a fraction of the window's length, as in MONAI."""


@dataclass(frozen=True)
class WindowGrid:
    """Windows that cover a volume, and their separable weights; one entry per axis (z, y, x).

    Attributes:
        shape: voxels of the volume.
        window: voxels of a window.
        starts: first voxel of each window, ascending; the last window ends with the volume.
        weights: weights of a window's voxels.
        sums: sum of all windows' weights at each voxel of the volume. A voxel's blended value is the sum of its
            windows' values times the products of their weights, divided by the product of these sums.
    """

    shape: Shape3
    window: Shape3
    starts: tuple[tuple[int, ...], ...]
    weights: tuple[FloatArray, ...]
    sums: tuple[FloatArray, ...]


def window_grid(
    shape: Sequence[int], window: Sequence[int], overlap: float = 0.25, blending: str = "gaussian"
) -> WindowGrid:
    """Place windows over a volume as MONAI's `SlidingWindowInferer` does.

    Args:
        shape: voxels (z, y, x) of the volume, at least those of the window.
        window: window size (z, y, x) in voxels.
        overlap: fraction of a window that the next one covers too, in [0, 1).
        blending: "gaussian", "linear" (a pyramid) or "constant".

    Raises:
        InputError: if a number is out of range or the volume is smaller than a window.
    """
    sizes, extents = check_whole_triple(window, "the window"), check_whole_triple(shape, "the volume's shape")
    check_choice(blending, BLENDINGS, "blending")
    check_below_one(overlap, "overlap")
    if any(extent < size for extent, size in zip(extents, sizes, strict=True)):
        raise InputError(f"a window must fit into the volume of {extents} voxels, got {sizes}")
    starts = tuple(axis_starts(extent, size, overlap) for extent, size in zip(extents, sizes, strict=True))
    weights = tuple(axis_weights(size, blending) for size in sizes)
    sums = tuple(
        axis_sums(extent, along, weight) for extent, along, weight in zip(extents, starts, weights, strict=True)
    )
    return WindowGrid(extents, sizes, starts, weights, sums)


def axis_starts(extent: int, size: int, overlap: float) -> tuple[int, ...]:
    """Return the first voxel of each window along an axis; the last window is moved back to end at the border."""
    stride = max(1, int(size * (1 - overlap)))
    return (*range(0, extent - size, stride), extent - size)


def axis_weights(size: int, blending: str) -> FloatArray:
    """Return the weights (size,) of a window's voxels along an axis, largest in the middle and never 0."""
    places = np.arange(size) - (size - 1) / 2
    if blending == "gaussian":
        weights = np.exp(-(places**2) / (2 * (SIGMA_SCALE * size) ** 2))
    elif blending == "linear":
        weights = (size + 1) / 2 - np.abs(places)
    else:
        weights = np.ones(size)
    return (weights / weights.max()).astype(np.float32)


def axis_sums(extent: int, starts: Sequence[int], weights: FloatArray) -> FloatArray:
    """Return the sum of the windows' weights at each voxel (extent,) along an axis."""
    sums = np.zeros(extent, np.float32)
    for start in starts:
        sums[start : start + len(weights)] += weights
    return sums
