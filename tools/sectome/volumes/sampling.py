"""A few sections sampled from a volume, and whether they look like labels or an image."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from sectome.types import Array
from sectome.volumes.reader import Reader

_SECTIONS_TO_SAMPLE = 5
_LABEL_LIKE = 0.8
_MIDDLE = 4096


def sampled_sections(extent_z: int) -> list[int]:
    """Return the z of five sections spread over a volume, or of all if it has fewer."""
    return sorted({int(z) for z in np.linspace(0, extent_z - 1, _SECTIONS_TO_SAMPLE).round()})


def middle(extent: int, most: int) -> slice:
    """Return the middle part of an axis, at most `most` voxels long."""
    size = min(extent, most)
    return slice((extent - size) // 2, (extent + size) // 2, 1)


def is_label_like(section: Array) -> bool:
    """Return whether neighbours along x mostly agree, as in labels; in a noisy image they rarely do."""
    left, right = section[:, :-1], section[:, 1:]
    in_objects = (left != 0) | (right != 0)
    return bool((left == right)[in_objects].mean() >= _LABEL_LIKE) if in_objects.any() else True


def warn_of_grey_values(labels: Array, name: str) -> None:
    """Warn if the middle section of supposed labels (Z, Y, X) looks like an image."""
    if not is_label_like(labels[len(labels) // 2]):
        warnings.warn(
            f"expected labels in {name}, got values that change from voxel to voxel, as grey values do", stacklevel=3
        )


def holds_labels(dtype: np.dtype[Any], label_like: bool) -> bool:
    """Return whether values are ids, which must never be averaged.

    Booleans and integers of two or more bytes count as ids; integers of one byte only if they look like labels.

    Args:
        dtype: type of the volume.
        label_like: result of `looks_like_labels`.
    """
    if dtype.kind not in "iu" or dtype.itemsize > 1:
        return dtype.kind != "f"
    return label_like


def looks_like_labels(reader: Reader) -> bool:
    """Return whether a volume (Z, Y, X) holds integers that look like labels in the middle of sampled sections."""
    z, *plane = reader.shape
    # Whole sections of a petavoxel volume would not fit into memory.
    y, x = (middle(extent, _MIDDLE) for extent in plane)
    return reader.dtype.kind in "iu" and all(
        is_label_like(reader.read(slice(at, at + 1, 1), y, x)[0]) for at in sampled_sections(z)
    )
