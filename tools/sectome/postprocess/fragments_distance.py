"""Fragments grown from maxima of the distance to the nearest boundary, which lie in the middle of objects."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numba import njit
from scipy import ndimage
from skimage.morphology import local_maxima

from sectome.checks import InputError, check_triple
from sectome.postprocess.check_affinities import nearest_affinities, stored_threshold
from sectome.postprocess.distance_transform import distance_to_boundary_nm
from sectome.postprocess.gaussian import smooth
from sectome.postprocess.mean_affinity import mean_affinity, without_background
from sectome.postprocess.seeded_watershed import seeded_watershed
from sectome.postprocess.threshold import Threshold, threshold_of
from sectome.types import Array, LabelArray, Offsets, VoxelSize

BOUNDARY_THRESHOLD = 0.85
"""Just above 5/6, so that one cut edge of six makes a boundary voxel where two objects touch without a membrane."""

_SIGMA_IN_SHORTEST_EDGES = 1.5

_HALF_HEIGHT_IN_SHORTEST_EDGES = 64
"""The distance whose height is halfway between those of 0 and infinity."""


def _seeds(distance: Array, inside: Array, *, per_section: bool) -> LabelArray:
    """Return the (Z, Y, X) local maxima of the distance inside objects, numbered from 1."""
    neighbours = np.ones((3, 3, 3), bool)
    if per_section:
        neighbours[[0, 2]] = False
    seeds, _ = ndimage.label(local_maxima(distance, footprint=neighbours) & inside, neighbours)
    return np.asarray(seeds)


def fragments_distance(
    affinities: Any,
    offsets: Offsets,
    *,
    voxel_size_nm: VoxelSize = (1.0, 1.0, 1.0),
    boundary_threshold: Threshold = BOUNDARY_THRESHOLD,
    sigma_nm: float | None = None,
    low: Threshold = 1e-4,
    per_section: bool = False,
    foreground: Any = None,
    threads: int | None = None,
) -> LabelArray:
    """Return fragments grown from the maxima of the distance to the nearest boundary.

    A voxel is boundary if the mean affinity of its six edges is below a threshold. Maxima of the smoothed distance to
    the boundary are seeds; a watershed on the edges grows them over the volume. A hole in a membrane does not merge two
    fragments if it is narrower than they are. After Beier et al. 2017 (doi:10.1038/nmeth.4151) and Funke et al. 2019
    (doi:10.1109/TPAMI.2018.2835450).

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8.
        offsets: K offsets with `NEAREST` among them; others are not used.
        voxel_size_nm: voxel size (z, y, x); only its ratios matter if `sigma_nm` is `None`.
        boundary_threshold: mean affinity below which a voxel is boundary. A number in 0..1, or a percentile of the mean
            affinities such as "20%".
        sigma_nm: smoothing of the distance, for fewer seeds; `None` is 1.5 times the shortest edge of a voxel, 0 is no
            smoothing.
        low: affinity up to which an edge is never crossed; a voxel without an edge above it is background, 0. A number,
            or a percentile of the nearest affinities.
        per_section: whether each section gets its own distances, seeds and fragments, for sections so thick that an
            object's outline jumps from one to the next. The agglomeration joins them.
        foreground: (Z, Y, X) array, 0 where the result must be background, or `None`.
        threads: `None` uses all cores; the result does not depend on it.

    Returns:
        (Z, Y, X) uint32 fragments 1..N in the order of their first voxels; 0 is background.

    Raises:
        InputError: if an array does not fit the others or a number is out of range.
    """
    nearest = nearest_affinities(affinities, offsets)
    if foreground is not None:
        nearest = without_background(nearest, foreground)
    fragments, _ = _grow(nearest, voxel_size_nm, boundary_threshold, sigma_nm, low, per_section, threads)
    return fragments


def fragments_with_seeds(
    nearest: Array,
    *,
    voxel_size_nm: VoxelSize,
    boundary_threshold: Threshold,
    sigma_nm: float | None,
    low: Threshold,
    per_section: bool,
    threads: int | None,
) -> tuple[LabelArray, Array]:
    """Return the fragments of `fragments_distance` for checked (3, Z, Y, X) affinities, and where each was grown from.

    Returns:
        (Z, Y, X) fragments, and for each id (N + 1,) the flat index of its seed's first voxel, or of its own first
        voxel if it has no seed.
    """
    fragments, seeds = _grow(nearest, voxel_size_nm, boundary_threshold, sigma_nm, low, per_section, threads)
    first = np.full(int(fragments.max(initial=0)) + 1, -1, np.int64)
    for wanted in (seeds.ravel() != 0, np.ones(seeds.size, bool)):
        _first_voxels(fragments.ravel(), wanted, first)
    return fragments, first


@njit(cache=True, nogil=True)
def _first_voxels(fragments: Any, wanted: Any, first: Any) -> None:
    """Write the flat index of the first wanted voxel of each fragment whose entry in `first` is negative."""
    for index in range(fragments.size):
        if wanted[index] and first[fragments[index]] < 0:
            first[fragments[index]] = index


def _grow(
    nearest: Array,
    voxel_size_nm: VoxelSize,
    boundary_threshold: Threshold,
    sigma_nm: float | None,
    low: Threshold,
    per_section: bool,
    threads: int | None,
) -> tuple[LabelArray, LabelArray]:
    """Return fragments and their seeds, see `fragments_distance`."""
    size = check_triple(voxel_size_nm, "voxel_size_nm")
    sigma = _SIGMA_IN_SHORTEST_EDGES * min(size) if sigma_nm is None else sigma_nm
    if not 0 <= sigma < float("inf"):
        raise InputError(f"sigma_nm must be 0 or more, got {sigma_nm}")
    low = threshold_of(low, nearest, "low")
    means = mean_affinity(nearest, per_section=per_section)
    boundary = threshold_of(boundary_threshold, means, "boundary_threshold")
    inside = means >= boundary
    if not inside.any() and means.max() > low:
        warnings.warn(
            f"no voxel reaches boundary_threshold {boundary}: the greatest mean affinity is "
            f"{means.max():.3f}, and without seeds all voxels that touch are one fragment",
            stacklevel=2,
        )
    if inside.all():
        distance = np.ones(inside.shape, np.float32)
    else:
        distance = distance_to_boundary_nm(inside, size, per_section=per_section, threads=threads)
        # In a section without boundary.
        distance[np.isinf(distance)] = 1
    z, y, x = (sigma / edge for edge in size)
    smooth(distance, (0.0 if per_section else z, y, x), threads=threads)
    seeds = _seeds(distance, inside, per_section=per_section)
    # Inside voxels lie higher than all boundary voxels, whose height is the mean affinity, less noisy than one edge.
    # The height is a function of the distance alone, so a part of a volume gets the same heights as the whole.
    distance /= distance + np.float32(_HALF_HEIGHT_IN_SHORTEST_EDGES * min(size))
    heights = np.where(inside, 1 + distance, means)
    del distance, inside, means
    fragments = seeded_watershed(
        nearest, heights, seeds, top=2.0, low=stored_threshold(low, nearest), per_section=per_section, threads=threads
    )
    return fragments, seeds
