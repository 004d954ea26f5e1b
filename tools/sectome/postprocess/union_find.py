"""Compiled union-find on flat voxel indices.

The root of a set is its smallest index, so that labels come out in the order of their first voxels, whatever the order
of the unions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.postprocess.slabs import in_threads, slabs
from sectome.types import Array, LabelArray


@njit(cache=True, nogil=True, inline="always")
def find(parent: Any, index: int) -> int:
    """Return the root (smallest index) of the set of `index`, and halve the path to it."""
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
    """Return the (voxels,) parents of one-voxel sets, as int32 where that suffices and else int64."""
    return np.arange(voxels, dtype=np.int32 if voxels < 2**31 else np.int64)


@njit(cache=True, nogil=True)
def _count_roots(parent: Any, joined: Any, first: int, last: int) -> int:
    """Return the number of joined sets with a root from `first` to `last`."""
    count = 0
    for index in range(first, last):
        count += parent[index] == index and joined[index] != 0
    return count


@njit(cache=True, nogil=True)
def _number_roots(parent: Any, joined: Any, first: int, last: int, number: int, labels: Any) -> None:
    """Number the joined sets with a root from `first` to `last`, starting at `number` + 1."""
    for index in range(first, last):
        if parent[index] == index and joined[index] != 0:
            number += 1
            labels[index] = number


@njit(cache=True, nogil=True)
def _copy_numbers(parent: Any, first: int, last: int, labels: Any) -> None:
    """Copy each root's number to its voxels; roots are not written, so that other threads can read them."""
    for index in range(first, last):
        root = parent[index]
        if root != index:
            while parent[root] != root:
                root = parent[root]
            labels[index] = labels[root]


def sets_to_labels(parent: LabelArray, joined: Array, shape: tuple[int, ...], threads: int | None = None) -> LabelArray:
    """Return uint32 labels 1..N of (Z, Y, X) `shape`, in the order of first voxels; 0 where `joined` is 0."""
    labels = np.zeros(parent.size, np.uint32)
    section = shape[1] * shape[2]
    parts = [(first * section, last * section) for first, last in slabs(shape)]
    counts = in_threads(_count_roots, [(parent, joined, *part) for part in parts], threads, "numbers")
    numbers = np.cumsum([0, *counts]).tolist()
    numbered = [(parent, joined, *part, number, labels) for part, number in zip(parts, numbers, strict=False)]
    in_threads(_number_roots, numbered, threads, "numbers")
    in_threads(_copy_numbers, [(parent, *part, labels) for part in parts], threads, "numbers")
    return labels.reshape(shape)
