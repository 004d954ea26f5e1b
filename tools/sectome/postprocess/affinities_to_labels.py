"""The whole pipeline from affinities to segments, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.neighbourhoods import NEAREST
from sectome.postprocess.absorb_small import absorb_small
from sectome.postprocess.agglomeration import agglomerate
from sectome.postprocess.check_affinities import (
    check_affinities,
    check_voxel_pairs,
    nearest_affinities,
    stored_threshold,
)
from sectome.postprocess.compact_labels import compact_labels, count_voxels
from sectome.postprocess.fragments_distance import fragments_distance
from sectome.postprocess.fragments_watershed import fragments_watershed
from sectome.postprocess.mean_affinity import mean_affinity, without_background
from sectome.postprocess.merge_history import MergeHistory, labels_of_lookup
from sectome.postprocess.mutex_watershed import mutex_watershed
from sectome.postprocess.region_graph import RegionGraph, region_graph
from sectome.postprocess.segmentation_options import SegmentationOptions
from sectome.postprocess.slabs import thread_count
from sectome.postprocess.threshold import threshold_of
from sectome.types import Array, LabelArray, Offsets, VoxelSize

VoxelPairs = Sequence[tuple[Sequence[int], Sequence[int]]]
"""Pairs of voxels ((z, y, x), (z, y, x))."""


def affinities_to_labels(
    affinities: Any,
    offsets: Offsets,
    *,
    voxel_size_nm: VoxelSize = (1.0, 1.0, 1.0),
    apart: VoxelPairs = (),
    threads: int | None = None,
    **options: Any,
) -> LabelArray:
    """Return the segments of an affinity volume.

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8 in 0..255, one channel per offset. uint8 and float32 arrays
            are not copied and may be memory-mapped.
        offsets: K offsets (z, y, x) that include `sectome.neighbourhoods.NEAREST`.
        voxel_size_nm: voxel size (z, y, x) for distances; voxels are cubic by default.
        apart: pairs of voxels that must not end up in one segment, from a proof-reader.
        threads: `None` uses all cores; the result does not depend on it.
        options: options of `SegmentationOptions`: `method`, `threshold`, `fragments` and others.

    Returns:
        (Z, Y, X) segments 1..N in the smallest unsigned type; 0 is background.

    Raises:
        InputError: if the affinities do not fit the offsets, a name is unknown, a number is out of range, or two
            voxels to be kept apart lie in one fragment.
    """
    chosen = SegmentationOptions().but(**options)
    threads = thread_count(threads)
    if chosen.method == "mutex":
        return _mutex(affinities, offsets, chosen, apart)
    pieces, graph, pairs = _fragments_and_graph(affinities, offsets, chosen, voxel_size_nm, apart, threads)
    sizes = count_voxels(pieces)
    return labels_of_lookup(segments_of(graph, chosen, sizes, pairs), pieces, sizes, chosen.min_size_voxels)


def affinities_to_history(
    affinities: Any,
    offsets: Offsets,
    *,
    voxel_size_nm: VoxelSize = (1.0, 1.0, 1.0),
    apart: VoxelPairs = (),
    threads: int | None = None,
    stop: float = 0.0,
    pieces: LabelArray | None = None,
    **options: Any,
) -> tuple[LabelArray, MergeHistory]:
    """Return fragments and their merge history, which gives the segments at every threshold, as for a sweep.

    The arguments are those of `affinities_to_labels` and two more. Agglomeration ends at scores below `stop`. `pieces`
    are fragments that this function returned for the same affinities, to reuse with another `method` or `long_range`.

    Returns:
        (Z, Y, X) uint32 fragments 1..N, 0 is background, and the history for `labels_at`.

    Raises:
        InputError: as `affinities_to_labels`, and if the method is "mutex", which has no history.
    """
    chosen = SegmentationOptions().but(**options)
    if chosen.method == "mutex":
        raise InputError(
            "method must be one that scores pairs (mean, quantile_Q, max_K) for a merge history, got mutex"
        )
    pieces, graph, pairs = _fragments_and_graph(affinities, offsets, chosen, voxel_size_nm, apart, threads, pieces)
    return pieces, _agglomerated(graph, chosen, pairs, count_voxels(pieces), stop)


def segments_of(
    graph: RegionGraph, chosen: SegmentationOptions, sizes: Array, pairs: Sequence[tuple[int, int]] = ()
) -> LabelArray:
    """Return a lookup from fragment to segment at the options' threshold; a segment's id is one of its fragments.

    Args:
        graph: region graph of the fragments, with levels if the method needs them.
        chosen: options with a method other than "mutex".
        sizes: (max_fragment + 1,) voxels of each fragment.
        pairs: fragments that must not end up in one segment.
    """
    lookup = _agglomerated(graph, chosen, pairs, sizes, chosen.threshold).lookup_at(chosen.threshold)
    if not chosen.small_voxels:
        return lookup
    return absorb_small(
        graph,
        lookup,
        sizes,
        chosen.small_voxels,
        scoring=chosen.method,
        stop=chosen.small_threshold,
        apart=pairs,
    )


def _fragments_and_graph(
    affinities: Any,
    offsets: Offsets,
    chosen: SegmentationOptions,
    voxel_size_nm: VoxelSize,
    apart: VoxelPairs,
    threads: int | None,
    pieces: LabelArray | None = None,
) -> tuple[LabelArray, RegionGraph, list[tuple[int, int]]]:
    """Return fragments, their region graph, and the pairs of fragments to keep apart."""
    array, steps = check_affinities(affinities, offsets)
    voxel_pairs = check_voxel_pairs(apart, array.shape[1:])
    if pieces is None:
        pieces = _fragments(nearest_affinities(array, steps), chosen, voxel_size_nm, threads)
    pairs = _fragment_pairs(pieces, voxel_pairs)
    graph = region_graph(
        array, steps, pieces, long_range=chosen.long_range, keep_levels=chosen.method != "mean", threads=threads
    )
    return pieces, graph, pairs


def _fragments(
    nearest: Array, chosen: SegmentationOptions, voxel_size_nm: VoxelSize, threads: int | None
) -> LabelArray:
    """Return fragments computed as the options say."""
    nearest = in_foreground(nearest, chosen)
    if chosen.fragments == "watershed":
        return fragments_watershed(
            nearest, NEAREST, low=chosen.low, high=chosen.high, per_section=chosen.per_section, threads=threads
        )
    return fragments_distance(nearest, NEAREST, **of_distance(chosen, voxel_size_nm), threads=threads)


def in_foreground(nearest: Array, chosen: SegmentationOptions) -> Array:
    """Return checked nearest affinities, set to 0 in what the options call background."""
    if chosen.foreground_threshold <= 0:
        return nearest
    return without_background(nearest, mean_affinity(nearest) >= chosen.foreground_threshold)


def of_distance(chosen: SegmentationOptions, voxel_size_nm: VoxelSize) -> dict[str, Any]:
    """Return the arguments of `fragments_distance` from the options."""
    return {
        "voxel_size_nm": voxel_size_nm,
        "boundary_threshold": chosen.boundary_threshold,
        "sigma_nm": chosen.sigma_nm,
        "low": chosen.low,
        "per_section": chosen.per_section,
    }


def _agglomerated(
    graph: RegionGraph, chosen: SegmentationOptions, pairs: Sequence[tuple[int, int]], sizes: Array, stop: float
) -> MergeHistory:
    """Return the merge history computed as the options say."""
    return agglomerate(
        graph, scoring=chosen.method, stop=stop, apart=pairs, sizes=sizes, large_voxels=chosen.large_voxels
    )


def _fragment_pairs(
    pieces: LabelArray, apart: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]
) -> list[tuple[int, int]]:
    """Return the fragment pairs of checked voxel pairs, without pairs that hold a background voxel."""
    pairs = []
    for one, other in apart:
        u, v = int(pieces[one]), int(pieces[other])
        if u == v and u != 0:
            raise InputError(
                f"the voxels {one} and {other} to be kept apart must lie in two fragments, got both in one: "
                "fragments='watershed' or another boundary_threshold makes smaller ones"
            )
        if u and v:
            pairs.append((u, v))
    return pairs


def _mutex(affinities: Any, offsets: Offsets, chosen: SegmentationOptions, apart: VoxelPairs) -> LabelArray:
    """Return mutex watershed segments."""
    array, steps = check_affinities(affinities, offsets)
    nearest = nearest_affinities(array, steps)
    foreground = _touched(nearest, stored_threshold(threshold_of(chosen.low, nearest, "low"), nearest))
    if chosen.foreground_threshold > 0:
        foreground &= mean_affinity(nearest) >= chosen.foreground_threshold
    labels = mutex_watershed(
        array,
        steps,
        strides=chosen.strides,
        bias=chosen.bias,
        foreground=foreground,
        apart=apart,
    )
    return compact_labels(labels, min_size_voxels=chosen.min_size_voxels)


def _touched(nearest: Array, low: float) -> Array:
    """Return a (Z, Y, X) mask of voxels with an affinity above `low` to at least one of six neighbours."""
    touched = np.zeros(nearest.shape[1:], np.bool_)
    for axis in range(3):
        before, after = ([slice(None)] * 3 for _ in range(2))
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        # The first plane's affinities lead out of the volume.
        strong = nearest[axis][tuple(after)] > low
        touched[tuple(before)] |= strong
        touched[tuple(after)] |= strong
    return touched
