"""Connected components of strong affinities: the baseline for the other decoders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sectome.checks import check_within
from sectome.postprocess.check_affinities import nearest_affinities, stored_threshold
from sectome.postprocess.compact_labels import compact_labels
from sectome.postprocess.union_find import new_sets, sets_to_labels, union
from sectome.types import LabelArray, Offsets


def connected_components(
    affinities: Any, offsets: Offsets, *, threshold: float = 0.5, min_size_voxels: int = 0
) -> LabelArray:
    """Return the connected components of the nearest affinities at or above a threshold.

    This is a baseline, since one wrong edge merges two objects (single linkage). On true affinities it is exact.

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8.
        offsets: K offsets with `NEAREST` among them; others are not used.
        threshold: affinity in 0..1 from which an edge joins its voxels; at 0 every edge does.
        min_size_voxels: smaller components become background.

    Returns:
        (Z, Y, X) components 1..N in the order of their first voxels, in the smallest unsigned type; 0 where no edge of
        a voxel reaches the threshold.

    Raises:
        InputError: if the affinities do not fit the offsets, or the threshold is outside 0..1.
    """
    check_within(threshold, 0, 1, "threshold")
    nearest = nearest_affinities(affinities, offsets)
    shape = nearest.shape[1:]
    voxels = int(np.prod(shape))
    parent, joined = new_sets(voxels), np.zeros(voxels, np.bool_)
    _join_strong_edges(nearest, stored_threshold(threshold, nearest), parent, joined)
    return compact_labels(sets_to_labels(parent, joined, shape), min_size_voxels=min_size_voxels)


@njit(cache=True, nogil=True)
def _join_strong_edges(affinities: Any, threshold: float, parent: Any, joined: Any) -> None:
    """Unite the two voxels of every nearest edge at or above the threshold, and mark them in `joined`.

    Args:
        affinities: (3, Z, Y, X) affinities of `NEAREST`.
        threshold: threshold in the unit of the stored values.
        parent: (Z * Y * X,) parents of the sets, modified in place.
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
