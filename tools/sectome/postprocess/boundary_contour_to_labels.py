"""Mitochondria from their foreground and contours: a watershed from seeds that the contours keep apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from scipy import ndimage

from sectome.checks import InputError, check_at_least, check_same_shape
from sectome.postprocess.check_affinities import ROUNDING, check_probability
from sectome.postprocess.compact_labels import compact_labels, count_voxels
from sectome.types import Array, LabelArray

# Few, so that the noise of saturated probabilities is a plateau.
_LEVELS = 256


@njit(cache=True, nogil=True, inline="always")
def _wait(voxel: int, level: int, first: Any, last: Any, behind: Any) -> None:
    """Put a voxel at the end of the queue of its level."""
    behind[voxel] = -1
    if first[level] < 0:
        first[level] = voxel
    else:
        behind[last[level]] = voxel
    last[level] = voxel


@njit(cache=True, nogil=True)
def _flood(levels: Any, labels: Any, steps: Any) -> None:
    """Grow labels over all voxels that they reach by steps and whose level is not 0, highest first, in place.

    Among equals those that were reached first go first, so that two labels share a plateau half and half. Saturated
    probabilities are plateaus; sorted edges, as in `seeded_watershed`, would give each of these to one of the two.

    Args:
        levels: (voxels,) from 0 to 255, 0 on the rim of the volume, so that no step leaves it.
        labels: (voxels,) seeds, 0 where there is none.
        steps: flat index steps to the neighbours.
    """
    # One queue a level, linked from voxel to voxel: each voxel waits once, when it has got its label.
    first, last = np.full(_LEVELS, -1, np.int64), np.full(_LEVELS, -1, np.int64)
    behind = np.empty(levels.size, np.int64)
    for voxel in range(levels.size):
        if labels[voxel] != 0:
            _wait(voxel, levels[voxel], first, last, behind)
    top = _LEVELS - 1
    while top > 0:
        voxel = first[top]
        if voxel < 0:
            top -= 1
            continue
        first[top] = behind[voxel]
        for step in steps:
            other = voxel + step
            if labels[other] == 0 and levels[other] != 0:
                labels[other] = labels[voxel]
                _wait(other, levels[other], first, last, behind)
                top = max(top, levels[other])


def _check_floats(values: Array, low: int, name: str, also: str = "") -> Array:
    """Return floats in low..1 as float32, or raise an `InputError` that calls them `name`; `also` is what else fits."""
    if values.dtype.kind != "f":
        raise InputError(f"{name} must be floats in {low}..1{also}, got {values.dtype}")
    least, greatest = float(values.min()), float(values.max())
    if not (least >= low - ROUNDING and greatest <= 1 + ROUNDING):
        raise InputError(f"{name} must lie in {low}..1, got values in {least:g}..{greatest:g}")
    return np.asarray(values, np.float32)


def _check_probabilities(probabilities: Any) -> Array:
    """Return the (2, Z, Y, X) foreground and contour as float32 in 0..1."""
    array = np.asarray(probabilities)
    if array.ndim != 4 or array.shape[0] != 2:
        raise InputError(f"probabilities must have axes (2, Z, Y, X), foreground and contour, got shape {array.shape}")
    if array.size == 0:
        raise InputError(f"probabilities must hold at least one voxel, got shape {array.shape}")
    if array.dtype == np.uint8:
        return np.divide(array, 255, dtype=np.float32)
    return _check_floats(array, 0, "probabilities", " or uint8 in 0..255")


def boundary_contour_to_labels(
    probabilities: Any,
    distance: Any = None,
    *,
    seed_foreground: float = 0.9,
    seed_contour: float = 0.8,
    seed_distance: float = 0.5,
    foreground: float = 0.85,
    min_seed_voxels: int = 32,
    min_size_voxels: int = 128,
) -> LabelArray:
    """Return objects grown from the parts of the foreground that no contour crosses.

    Seeds are the components, by faces, of voxels that are surely foreground, not contour and, where a distance is
    given, far from the background. A watershed grows them over the foreground, and they meet where the product of
    foreground, 1 - contour and distance is lowest. Foreground that no seed reaches becomes background. This is the bc
    and, with a distance, the bcd watershed of Wei et al. 2020 (doi:10.1007/978-3-030-59722-1_7) and Lin et al. 2021
    (arXiv:2112.05754), with their thresholds. Theirs goes by the foreground alone, which is about 1 on both sides of a
    contour so that noise decides where seeds meet, and its seeds hang together by corners too.

    Args:
        probabilities: (2, Z, Y, X) foreground and contour as of `sectome.transforms.boundary_contour`, floats in 0..1,
            or uint8 in 0..255, where 255 stands for 1. Contours drawn within sections only do not keep apart objects
            that touch across sections.
        distance: (Z, Y, X) floats in -1..1 as of `sectome.transforms.distance_targets`, scaled by "tanh" or "object";
            0 and less is background. `None` goes without.
        seed_foreground: seeds have a foreground of at least this.
        seed_contour: seeds have a contour below this.
        seed_distance: seeds have a distance of at least this, 0..1; not used without a distance.
        foreground: objects have a foreground of at least this.
        min_seed_voxels: smaller seeds are noise and do not grow; 32 and 128 are for voxels of 30 x 8 x 8 nm.
        min_size_voxels: smaller objects become background.

    Returns:
        (Z, Y, X) objects 1..N in the order of their seeds' first voxels, each of one piece, smallest unsigned type; 0
        is background.

    Raises:
        InputError: if the arrays have another shape or type, are empty, or hold values out of their range, as logits
            and NaN are; or if an option is out of its range.
    """
    check_probability(seed_foreground, "seed_foreground")
    check_probability(seed_contour, "seed_contour")
    check_probability(seed_distance, "seed_distance")
    check_probability(foreground, "foreground")
    check_at_least(min_seed_voxels, 0, "min_seed_voxels")
    likely, contour = _check_probabilities(probabilities)

    inside = likely >= foreground
    seeded = inside & (likely >= seed_foreground) & (contour < seed_contour)
    heights = likely * (1 - contour)
    if distance is not None:
        check_same_shape(likely.shape, np.shape(distance), "distance")
        depth = _check_floats(np.asarray(distance), -1, "distance")
        inside &= depth > 0
        seeded &= inside & (depth >= seed_distance)
        heights *= depth
    labels, _ = ndimage.label(seeded)
    small = count_voxels(labels) < min_seed_voxels
    labels[small[labels]] = 0
    levels = np.where(inside, 1 + (_LEVELS - 2) * np.clip(heights, 0, 1), 0).astype(np.uint8)
    grown = np.pad(labels, 1)
    plane, line = grown.shape[1] * grown.shape[2], grown.shape[2]
    _flood(np.pad(levels, 1).ravel(), grown.ravel(), np.array([-plane, -line, -1, 1, line, plane]))
    return compact_labels(grown[1:-1, 1:-1, 1:-1], min_size_voxels=min_size_voxels)
