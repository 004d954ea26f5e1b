"""Sets of voxels that grow together: union-find on flat voxel indices, compiled.

A set is known by its smallest index, so that labels come out in the order of their first voxels whatever the order of
the unions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

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
def join_strong_edges(affinities: Any, threshold: float, parent: Any, joined: Any) -> None:
    """Unite the two voxels of every nearest edge at or above the threshold, and mark them in `joined`.

    Args:
        affinities: (3, Z, Y, X) of `NEAREST`.
        threshold: in the unit of the stored values.
        parent: (Z * Y * X,) the sets, changed in place.
        joined: (Z * Y * X,) booleans, set where a voxel has such an edge.
    """
    _, depth, height, width = affinities.shape
    index = 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if z > 0 and affinities[0, z, y, x] >= threshold:
                    union(parent, index, index - height * width)
                    joined[index] = joined[index - height * width] = True
                if y > 0 and affinities[1, z, y, x] >= threshold:
                    union(parent, index, index - width)
                    joined[index] = joined[index - width] = True
                if x > 0 and affinities[2, z, y, x] >= threshold:
                    union(parent, index, index - 1)
                    joined[index] = joined[index - 1] = True
                index += 1


@njit(cache=True, nogil=True)
def _number(parent: Any, joined: Any, labels: Any) -> int:
    """Number the sets 1..N by their first voxels into `labels`; voxels that nothing joined get 0."""
    count = 0
    for index in range(parent.size):
        if not joined[index]:
            continue
        root = find(parent, index)
        # The root is the smallest index of its set, and so already numbered when another voxel asks.
        if root == index:
            count += 1
            labels[index] = count
        else:
            labels[index] = labels[root]
    return count


def new_sets(voxels: int) -> LabelArray:
    """Return the (voxels,) parents of sets of one voxel each, in 32 bits where they suffice."""
    return np.arange(voxels, dtype=np.int32 if voxels < 2**31 else np.int64)


def sets_to_labels(parent: LabelArray, joined: Any, shape: tuple[int, ...]) -> LabelArray:
    """Return labels 1..N of the given shape, uint32, numbered by their first voxels; 0 where `joined` is false."""
    labels = np.zeros(parent.size, np.uint32)
    _number(parent, joined, labels)
    return labels.reshape(shape)
