"""Checks of affinities, offsets and fragments for all of post-processing."""

from __future__ import annotations

from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.neighbourhoods import NEAREST, check_offsets
from sectome.types import Array, LabelArray, Offset, Offsets

# Blending weights of windows add up to 1 only up to rounding.
ROUNDING = 1e-4


def check_affinities(affinities: Any, offsets: Offsets) -> tuple[Array, tuple[Offset, ...]]:
    """Return affinities as C-contiguous float32 or uint8, and the offsets as tuples.

    Args:
        affinities: (K, Z, Y, X), floats in 0..1 or uint8 in 0..255, where 255 stands for 1.
        offsets: K offsets (z, y, x) in voxels, one per channel.

    Raises:
        InputError: if the array does not have four axes or one channel per offset, is empty, has another type, or holds
            values outside 0..1, such as logits or NaN.
    """
    steps = check_offsets(offsets)
    array = np.asarray(affinities)
    if array.ndim != 4:
        raise InputError(f"affinities must have axes (K, Z, Y, X), got shape {array.shape}")
    if array.shape[0] != len(steps):
        raise InputError(
            f"affinities must have {len(steps)} channels, one per offset, got {array.shape[0]} in shape {array.shape}"
        )
    if array.size == 0:
        raise InputError(f"affinities must hold at least one voxel, got shape {array.shape}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array), steps
    if array.dtype.kind != "f":
        raise InputError(f"affinities must be floats in 0..1 or uint8 in 0..255, got {array.dtype}")
    low, high = float(array.min()), float(array.max())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise InputError(f"affinities must lie in 0..1 (probabilities, not logits), got values in {low:g}..{high:g}")
    return np.ascontiguousarray(array, dtype=np.float32), steps


def nearest_channels(offsets: tuple[Offset, ...]) -> tuple[int, int, int]:
    """Return the channels of `NEAREST` among the offsets, or raise an `InputError` that names the missing one."""
    for step in NEAREST:
        if step not in offsets:
            raise InputError(f"offsets must hold the nearest neighbour {step}, got {list(offsets)}")
    z, y, x = (offsets.index(step) for step in NEAREST)
    return z, y, x


def check_long_range(long_range: str | None, offsets: tuple[Offset, ...]) -> None:
    """Raise an `InputError` if `long_range` is neither `None` nor "no" and there are no offsets beyond `NEAREST`."""
    if long_range not in (None, "no") and len(offsets) <= len(NEAREST):
        raise InputError(f"long_range must be no with nearest-neighbour offsets alone, got {long_range}")


def nearest_affinities(affinities: Any, offsets: Offsets) -> Array:
    """Return the checked (3, Z, Y, X) affinities of `NEAREST`; a view if their channels come first."""
    array, steps = check_affinities(affinities, offsets)
    channels = nearest_channels(steps)
    return array[:3] if channels == (0, 1, 2) else np.ascontiguousarray(array[list(channels)])


def affinity_unit(affinities: Array) -> float:
    """Return the stored value that stands for an affinity of 1."""
    return 255.0 if affinities.dtype == np.uint8 else 1.0


def stored_threshold(threshold: float, affinities: Array) -> float:
    """Return a threshold in the unit and precision of the stored values, so that an equal affinity compares equal."""
    return float(np.float32(threshold * affinity_unit(affinities)))


def check_fragments(fragments: Any, shape: tuple[int, ...] | None = None) -> LabelArray:
    """Return fragments as a C-contiguous (Z, Y, X) uint32 array, so that kernels are compiled for one type only.

    Raises:
        InputError: if they are not integers with three axes, do not have the given shape, or hold an id that is
            negative or exceeds 31 bits (an edge is stored as two ids in 64 bits).
    """
    array = np.asarray(fragments)
    if array.dtype.kind not in "iu" or array.ndim != 3:
        raise InputError(f"fragments must be integers with axes (Z, Y, X), got {array.dtype} of shape {array.shape}")
    if shape is not None and array.shape != shape:
        raise InputError(f"fragments must have the affinities' shape {shape}, got {array.shape}")
    if array.size and not (int(array.min()) >= 0 and int(array.max()) < 2**31):
        raise InputError(f"fragment ids must lie in 0..{2**31 - 1}, got {int(array.min())}..{int(array.max())}")
    return np.ascontiguousarray(array, dtype=np.uint32)


def check_voxel_pairs(pairs: Any, shape: tuple[int, ...]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return pairs of voxels ((z, y, x), (z, y, x)) to keep apart, as tuples.

    Raises:
        InputError: if they are not pairs of three whole numbers each, or a voxel lies outside the shape (Z, Y, X) or is
            paired with itself.
    """
    try:
        array = np.asarray(pairs if len(pairs) else np.empty((0, 2, 3), np.int64))
    except ValueError:
        array = np.empty(0)
    if array.ndim != 3 or array.shape[1:] != (2, 3) or array.dtype.kind not in "iu":
        raise InputError(f"voxels to be kept apart must be pairs of three whole numbers each, got {pairs}")
    for one, other in array.tolist():
        for voxel in (one, other):
            if not all(0 <= place < length for place, length in zip(voxel, shape, strict=True)):
                raise InputError(f"voxels to be kept apart must lie in the volume of shape {shape}, got {tuple(voxel)}")
        if one == other:
            raise InputError(f"voxels to be kept apart must differ, got {tuple(one)} twice")
    return [(tuple(one), tuple(other)) for one, other in array.tolist()]
