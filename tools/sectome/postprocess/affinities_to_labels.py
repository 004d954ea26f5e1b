"""The whole road from affinities to segments, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.neighbourhoods import NEAREST
from sectome.postprocess.agglomeration import agglomerate_mean
from sectome.postprocess.check_affinities import (
    check_affinities,
    check_probability,
    nearest_affinities,
    stored_threshold,
)
from sectome.postprocess.compact_labels import compact_labels
from sectome.postprocess.fragments_distance import BOUNDARY_THRESHOLD, fragments_distance
from sectome.postprocess.fragments_watershed import fragments_watershed
from sectome.postprocess.mean_affinity import mean_affinity, without_background
from sectome.postprocess.merge_history import MergeHistory
from sectome.postprocess.mutex_watershed import mutex_watershed
from sectome.postprocess.region_graph import region_graph
from sectome.types import Array, LabelArray, Offsets, VoxelSize

METHODS = ("mean", "mutex")
FRAGMENTS = ("distance", "watershed")


def affinities_to_history(
    affinities: Any,
    offsets: Offsets,
    *,
    fragments: str = "distance",
    voxel_size_nm: VoxelSize = (1.0, 1.0, 1.0),
    boundary_threshold: float = BOUNDARY_THRESHOLD,
    sigma_nm: float | None = None,
    per_section: bool = False,
    low: float = 1e-4,
    high: float = 0.9999,
    foreground_threshold: float = 0.0,
    long_range: bool = True,
    stop: float = 0.0,
) -> tuple[LabelArray, MergeHistory]:
    """Return fragments and their merge history: every threshold from one pass, as a sweep needs it.

    The arguments are those of `affinities_to_labels`; merges below the mean affinity `stop` are not looked for.

    Returns:
        (Z, Y, X) uint32 fragments 1..N with background 0, and the history for `labels_at`.

    Raises:
        InputError: as `affinities_to_labels`.
    """
    if fragments not in FRAGMENTS:
        raise InputError(f"fragments must be one of {', '.join(FRAGMENTS)}, got {fragments!r}")
    check_probability(foreground_threshold, "foreground_threshold")
    array, steps = check_affinities(affinities, offsets)
    nearest = nearest_affinities(array, steps)
    if foreground_threshold > 0:
        nearest = without_background(nearest, mean_affinity(nearest) >= foreground_threshold)
    if fragments == "watershed":
        pieces = fragments_watershed(nearest, NEAREST, low=low, high=high)
    else:
        pieces = fragments_distance(
            nearest,
            NEAREST,
            voxel_size_nm=voxel_size_nm,
            boundary_threshold=boundary_threshold,
            sigma_nm=sigma_nm,
            low=low,
            per_section=per_section,
        )
    graph = region_graph(array, steps, pieces, long_range=long_range)
    return pieces, agglomerate_mean(graph, stop=stop)


def affinities_to_labels(
    affinities: Any,
    offsets: Offsets,
    *,
    method: str = "mean",
    fragments: str = "distance",
    threshold: float = 0.5,
    voxel_size_nm: VoxelSize = (1.0, 1.0, 1.0),
    boundary_threshold: float = BOUNDARY_THRESHOLD,
    sigma_nm: float | None = None,
    per_section: bool = False,
    low: float = 1e-4,
    high: float = 0.9999,
    foreground_threshold: float = 0.0,
    long_range: bool = True,
    min_size_voxels: int = 0,
    strides: Sequence[int] = (1, 3, 3),
    bias: float = 0.0,
) -> LabelArray:
    """Return the segments of an affinity volume.

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8 in 0..255, one channel an offset.
        offsets: K steps (z, y, x) that hold `sectome.neighbourhoods.NEAREST`.
        method: "mean" merges fragments by mean affinity. "mutex" is `mutex_watershed`, which has neither fragments nor
            a threshold, and needs offsets beyond the nearest; of the options it takes `low`,
            `foreground_threshold`, `min_size_voxels`, `strides` and `bias`.
        fragments: "distance" grows them from the middles of objects, "watershed" follows the steepest affinities.
        threshold: pairs of segments with at least this mean affinity merge; tune it on a labelled crop.
        voxel_size_nm: (z, y, x), for distances; cubic voxels if not given.
        boundary_threshold: of "distance": voxels with a mean affinity below it are boundary.
        sigma_nm: of "distance": smoothing of the distance; `None` is 1.5 times the shortest edge of a voxel.
        per_section: of "distance": fragments in each section by itself.
        low: a voxel whose nearest affinities are all at or below it is background, 0.
        high: of "watershed": every edge at or above it joins.
        foreground_threshold: voxels with a mean nearest affinity below it are background. By default there is none
            but what `low` leaves.
        long_range: whether offsets other than the nearest take part in the mean.
        min_size_voxels: smaller segments become background, as `compact_labels` says.
        strides: of "mutex": edges that repel are taken from every n-th voxel along (z, y, x).
        bias: of "mutex": what is added to the attraction; above 0 merges more.

    Returns:
        (Z, Y, X) segments 1..N in the smallest unsigned type, 0 is background.

    Raises:
        InputError: if the affinities do not fit the offsets, a name is unknown, or a number is out of its range.
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    check_probability(threshold, "threshold")
    if method == "mutex":
        check_probability(foreground_threshold, "foreground_threshold")
        nearest = nearest_affinities(affinities, offsets)
        foreground = _touched(nearest, stored_threshold(low, nearest))
        if foreground_threshold > 0:
            foreground &= mean_affinity(nearest) >= foreground_threshold
        labels = mutex_watershed(affinities, offsets, strides=strides, bias=bias, foreground=foreground)
        return compact_labels(labels, min_size_voxels=min_size_voxels)
    pieces, history = affinities_to_history(
        affinities,
        offsets,
        fragments=fragments,
        voxel_size_nm=voxel_size_nm,
        boundary_threshold=boundary_threshold,
        sigma_nm=sigma_nm,
        per_section=per_section,
        low=low,
        high=high,
        foreground_threshold=foreground_threshold,
        long_range=long_range,
        stop=threshold,
    )
    return history.labels_at(threshold, pieces, min_size_voxels=min_size_voxels)


def _touched(nearest: Array, low: float) -> Array:
    """Return the voxels (Z, Y, X) that at least one of their six affinities above `low` joins to another."""
    strong = nearest > low
    touched: Array = np.asarray(strong.any(axis=0))
    for axis in range(3):
        before, after = ([slice(None)] * 3 for _ in range(2))
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        touched[tuple(before)] |= strong[axis][tuple(after)]
    return touched
