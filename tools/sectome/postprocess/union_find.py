"""Sets of voxels that grow together: union-find on flat voxel indices, compiled.

A set is known by its smallest index, so that labels come out in the order of their first voxels whatever the order of
the unions. A voxel that was never joined to another is no set, but background.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.slabs import in_threads, slabs
from sectome.types import LabelArray


@njit(cache=True, nogil=True, inline="always")
def find(parent: Any, index: int) -> int:
    """Return the smallest index of the set of `index`, and halve the path to it."""
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


@njit(cache=True, nogil=True, inline="always")
def union(parent: Any, one: int, other: int) -> None:
    """Join the sets of two indices."""
    one, other = find(parent, one), find(parent, other)
    if one < other:
        parent[other] = one
    elif other < one:
        parent[one] = other


@njit(cache=True, nogil=True)
def join_strong_edges(affinities: Any, threshold: float, parent: Any) -> None:
    """Unite the two voxels of every nearest edge at or above the threshold.

    Args:
        affinities: (3, Z, Y, X) of `NEAREST`.
        threshold: in the unit of the stored values.
        parent: (Z * Y * X,) the sets, changed in place.
    """
    _, depth, height, width = affinities.shape
    index = 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if z > 0 and affinities[0, z, y, x] >= threshold:
                    union(parent, index, index - height * width)
                if y > 0 and affinities[1, z, y, x] >= threshold:
                    union(parent, index, index - width)
                if x > 0 and affinities[2, z, y, x] >= threshold:
                    union(parent, index, index - 1)
                index += 1


def new_sets(voxels: int) -> LabelArray:
    """Return the (voxels,) parents of sets of one voxel each, in 32 bits where they suffice."""
    return np.arange(voxels, dtype=np.int32 if voxels < 2**31 else np.int64)


@njit(cache=True, nogil=True)
def _mark_larger(parent: Any, first: int, last: int, labels: Any) -> None:
    """Mark in `labels` the roots of sets of two and more; several threads may mark the same root alike."""
    for index in range(first, last):
        root = parent[index]
        if root != index:
            while parent[root] != root:
                root = parent[root]
            labels[root] = 1


@njit(cache=True, nogil=True)
def _count_marks(parent: Any, labels: Any, first: int, last: int) -> int:
    """Return how many roots are marked from `first` to `last`."""
    count = 0
    for index in range(first, last):
        count += labels[index] != 0 and parent[index] == index
    return count


@njit(cache=True, nogil=True)
def _number_roots(parent: Any, labels: Any, first: int, last: int, number: int) -> None:
    """Number the marked roots of a slab from `number` + 1 on."""
    for index in range(first, last):
        if labels[index] != 0 and parent[index] == index:
            number += 1
            labels[index] = number


@njit(cache=True, nogil=True)
def _copy_numbers(parent: Any, first: int, last: int, labels: Any) -> None:
    """Give every voxel the number of its root; roots are not written, so that other threads may read them."""
    for index in range(first, last):
        root = parent[index]
        if root != index:
            while parent[root] != root:
                root = parent[root]
            labels[index] = labels[root]


def sets_to_labels(
    parent: LabelArray, shape: tuple[int, ...], threads: int | None = None, alone: Any = None
) -> LabelArray:
    """Return labels 1..N of the given (Z, Y, X), uint32, numbered by their first voxels.

    A set of one voxel is background, 0, but for those where `alone`, flat booleans, is true.
    """
    labels = np.zeros(parent.size, np.uint32) if alone is None else np.asarray(alone, np.uint32)
    section = shape[1] * shape[2]
    parts = [(first * section, last * section) for first, last in slabs(shape)]
    in_threads(_mark_larger, [(parent, *part, labels) for part in parts], threads, "numbers")
    counts = in_threads(_count_marks, [(parent, labels, *part) for part in parts], threads, "numbers")
    numbers = np.cumsum([0, *counts]).tolist()
    numbered = [(parent, labels, *part, number) for part, number in zip(parts, numbers, strict=False)]
    in_threads(_number_roots, numbered, threads, "numbers")
    in_threads(_copy_numbers, [(parent, *part, labels) for part in parts], threads, "numbers")
    return labels.reshape(shape)
