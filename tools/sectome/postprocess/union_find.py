"""Sets of voxels that grow together: union-find on flat voxel indices, compiled.

A set is known by its smallest index, so that labels come out in the order of their first voxels whatever the order of
the unions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.slabs import in_threads, slabs
from sectome.types import Array, LabelArray


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
def join_pairs(pairs: Any, parent: Any) -> None:
    """Unite the two voxels of each pair (P, 2)."""
    for index in range(len(pairs)):
        union(parent, pairs[index, 0], pairs[index, 1])


def new_sets(voxels: int) -> LabelArray:
    """Return the (voxels,) parents of sets of one voxel each, in 32 bits where they suffice."""
    return np.arange(voxels, dtype=np.int32 if voxels < 2**31 else np.int64)


@njit(cache=True, nogil=True)
def _count_roots(parent: Any, joined: Any, first: int, last: int) -> int:
    """Return how many sets begin from `first` to `last`."""
    count = 0
    for index in range(first, last):
        count += parent[index] == index and joined[index] != 0
    return count


@njit(cache=True, nogil=True)
def _number_roots(parent: Any, joined: Any, first: int, last: int, number: int, labels: Any) -> None:
    """Number the sets that begin from `first` to `last`, from `number` + 1 on."""
    for index in range(first, last):
        if parent[index] == index and joined[index] != 0:
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


def sets_to_labels(parent: LabelArray, joined: Array, shape: tuple[int, ...], threads: int | None = None) -> LabelArray:
    """Return labels 1..N of the given (Z, Y, X), uint32, numbered by their first voxels; 0 where `joined` is 0."""
    labels = np.zeros(parent.size, np.uint32)
    section = shape[1] * shape[2]
    parts = [(first * section, last * section) for first, last in slabs(shape)]
    counts = in_threads(_count_roots, [(parent, joined, *part) for part in parts], threads, "numbers")
    numbers = np.cumsum([0, *counts]).tolist()
    numbered = [(parent, joined, *part, number, labels) for part, number in zip(parts, numbers, strict=False)]
    in_threads(_number_roots, numbered, threads, "numbers")
    in_threads(_copy_numbers, [(parent, *part, labels) for part in parts], threads, "numbers")
    return labels.reshape(shape)
