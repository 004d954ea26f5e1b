"""Mitochondria from foreground and contours: a watershed from seeds that contours separate."""

from __future__ import annotations

from typing import Any

import numpy as np

from sectome.checks import InputError, check_same_shape
from sectome.postprocess.boundary_contour_options import BoundaryContourOptions
from sectome.postprocess.check_affinities import ROUNDING
from sectome.postprocess.listed_voxels import LEVELS, ListedVoxels, grow_objects, neighbours_of
from sectome.types import Array, LabelArray

_OF_BYTE = np.arange(256, dtype=np.float32) / 255


def _check_floats(values: Array, low: int, name: str, also: str = "") -> Array:
    """Return floats in low..1 as float32, or raise an `InputError` with their `name` and `also`, other valid types."""
    if values.dtype.kind != "f":
        raise InputError(f"{name} must be floats in {low}..1{also}, got {values.dtype}")
    least, greatest = float(values.min()), float(values.max())
    if not (least >= low - ROUNDING and greatest <= 1 + ROUNDING):
        raise InputError(f"{name} must lie in {low}..1, got values in {least:g}..{greatest:g}")
    return np.asarray(values, np.float32)


def _check_probabilities(probabilities: Any) -> Array:
    """Return the (2, Z, Y, X) foreground and contour as float32 in 0..1, or unchanged if they are uint8."""
    array = np.asarray(probabilities)
    if array.ndim != 4 or array.shape[0] != 2:
        raise InputError(f"probabilities must have axes (2, Z, Y, X), foreground and contour, got shape {array.shape}")
    if array.size == 0:
        raise InputError(f"probabilities must hold at least one voxel, got shape {array.shape}")
    if array.dtype == np.uint8:
        return array
    return _check_floats(array, 0, "probabilities", " or uint8 in 0..255")


def _at_least(values: Array, threshold: float) -> Array:
    """Return a mask of the probabilities that reach a threshold."""
    return (threshold <= _OF_BYTE)[values] if values.dtype == np.uint8 else values >= threshold


def _floats(values: Array) -> Array:
    """Return probabilities as float32."""
    return _OF_BYTE[values] if values.dtype == np.uint8 else values


def list_foreground(probabilities: Any, distance: Any, options: BoundaryContourOptions) -> ListedVoxels:
    """Return the voxels that objects may take, with their levels and where seeds may lie.

    Args:
        probabilities: (2, Z, Y, X) as in `boundary_contour_to_labels`.
        distance: (Z, Y, X) as in `boundary_contour_to_labels`, or `None`.
        options: thresholds.

    Raises:
        InputError: see `boundary_contour_to_labels`.
    """
    likely, contour = _check_probabilities(probabilities)
    inside = _at_least(likely, options.foreground)
    depth = None
    if distance is not None:
        check_same_shape(likely.shape, np.shape(distance), "distance")
        depth = _check_floats(np.asarray(distance), -1, "distance")
        inside &= depth > 0
    index = np.flatnonzero(inside)
    here, edge = _floats(likely[inside]), _floats(contour[inside])
    seeded = (here >= options.seed_foreground) & (edge < options.seed_contour)
    heights = here * (1 - edge)
    if depth is not None:
        seeded &= depth[inside] >= options.seed_distance
        heights *= depth[inside]
    level = (1 + (LEVELS - 2) * np.clip(heights, 0, 1)).astype(np.uint8)
    return ListedVoxels(index, level, seeded)


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

    Seeds are the face-connected components of voxels that have a high foreground, a low contour and, if given, a high
    distance from the background. A watershed grows them over the foreground, and they meet where the product of
    foreground, 1 - contour and distance is lowest. Foreground that no seed reaches becomes background. This is the bc
    and, with a distance, the bcd watershed of Wei et al. 2020 (doi:10.1007/978-3-030-59722-1_7) and Lin et al. 2021
    (arXiv:2112.05754), with their thresholds. Theirs floods by the foreground alone, which is about 1 on both sides of
    a contour, so that noise decides where seeds meet. Their seeds are also connected across corners.

    Args:
        probabilities: (2, Z, Y, X) foreground and contour as from `sectome.transforms.boundary_contour`, floats in 0..1
            or uint8 in 0..255, where 255 stands for 1. Contours drawn within sections only do not separate objects
            that touch across sections.
        distance: (Z, Y, X) floats in -1..1 as from `sectome.transforms.distance_targets`, scaled by "tanh" or "object";
            0 and less is background. `None` uses no distance.
        seed_foreground: least foreground of a seed voxel.
        seed_contour: contour that a seed voxel must stay below.
        seed_distance: least distance of a seed voxel, 0..1; not used without a distance.
        foreground: least foreground of an object voxel.
        min_seed_voxels: smaller seeds are noise and do not grow; the default is for voxels of 30 x 8 x 8 nm.
        min_size_voxels: smaller objects become background; the default is for the same voxels.

    Returns:
        (Z, Y, X) objects 1..N in the order of their seeds' first voxels, each connected, in the smallest unsigned type;
        0 is background.

    Raises:
        InputError: if an array has another shape or type, is empty, or holds values out of range, as logits and NaN
            are; or if an option is out of range.
    """
    options = BoundaryContourOptions(
        seed_foreground, seed_contour, seed_distance, foreground, min_seed_voxels, min_size_voxels
    )
    voxels = list_foreground(probabilities, distance, options)
    shape = np.shape(probabilities)[1:]
    grown = grow_objects(voxels, neighbours_of(voxels.index, shape), min_seed_voxels, min_size_voxels)
    labels = np.zeros(shape, np.min_scalar_type(len(grown.first)))
    labels.ravel()[voxels.index] = grown.labels
    return labels
