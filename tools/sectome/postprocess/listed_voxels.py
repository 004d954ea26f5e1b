"""Objects grown from seeds over a list of foreground voxels: memory grows with the foreground, not with the volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from sectome.checks import InputError
from sectome.postprocess.compact_labels import compact_lookup, count_voxels
from sectome.postprocess.union_find import new_sets, sets_to_labels, union
from sectome.types import Array, LabelArray

LEVELS = 256
"""Number of flooding levels; few, so that noise in saturated probabilities falls into one plateau."""

BYTES_A_VOXEL = 64
"""Peak memory of growing objects, in bytes per listed voxel."""


@dataclass(frozen=True)
class ListedVoxels:
    """The voxels of a foreground.

    Attributes:
        index: (V,) int64 flat indices into a volume, ascending.
        level: (V,) uint8 levels 1..255; the highest are flooded first.
        seeded: (V,) booleans, whether a voxel may be part of a seed.
    """

    index: Array
    level: Array
    seeded: Array

    def __len__(self) -> int:
        return self.index.size

    def __getitem__(self, chosen: Any) -> ListedVoxels:
        return ListedVoxels(self.index[chosen], self.level[chosen], self.seeded[chosen])


@dataclass(frozen=True)
class GrownObjects:
    """Objects of listed voxels.

    Attributes:
        labels: (V,) ids 1..N in the order of the seeds' first voxels, 0 where there is no object.
        first: (N,) flat index into the volume of the first voxel of each object's seed.
    """

    labels: LabelArray
    first: npt.NDArray[np.int64]


def grow_objects(
    voxels: ListedVoxels, neighbours: npt.NDArray[np.int32], min_seed_voxels: int, min_size_voxels: int
) -> GrownObjects:
    """Return objects grown from seeds, the face-connected components of the seeded voxels.

    Args:
        voxels: foreground voxels.
        neighbours: result of `neighbours_of`.
        min_seed_voxels: smaller seeds do not grow.
        min_size_voxels: smaller objects are dropped.
    """
    seeds = parts_of(neighbours, voxels.seeded)
    lookup = compact_lookup(count_voxels(seeds), min_seed_voxels)
    labels = lookup.astype(np.int32)[seeds]
    first = _first_of(labels, int(lookup.max(initial=0)))
    _flood(voxels.level, labels, neighbours)
    sizes = np.bincount(labels, minlength=first.size + 1)
    large = compact_lookup(sizes, min_size_voxels)
    return GrownObjects(large[labels], voxels.index[first[large[1:] > 0]])


def neighbours_of(index: Array, shape: Sequence[int]) -> npt.NDArray[np.int32]:
    """Return (V, 6) list positions of each voxel's neighbours at -z, -y, -x, +x, +y, +z, -1 if not in the list.

    Raises:
        InputError: if there are 2**31 voxels or more.
    """
    if index.size >= 2**31:
        raise InputError(
            f"expected a foreground of fewer than 2**31 voxels, got {index.size}: raise the threshold foreground, or "
            "segment block by block"
        )
    neighbours = np.full((index.size, 6), -1, np.int32)
    _find_neighbours(index, shape[1], shape[2], neighbours)
    return neighbours


def parts_of(neighbours: npt.NDArray[np.int32], among: Array) -> LabelArray:
    """Return the (V,) face-connected components 1..P, in the order of their first voxels.

    Args:
        neighbours: result of `neighbours_of`.
        among: (V,) booleans, true for the voxels to label; the others become 0.
    """
    parent = new_sets(len(neighbours))
    _unite(neighbours, among, parent)
    return sets_to_labels(parent, among, (1, 1, len(neighbours))).ravel()


@njit(cache=True, nogil=True)
def _find_neighbours(index: Any, height: int, width: int, neighbours: Any) -> None:
    """Write the neighbours of ascending voxels; each pair is found once, from the later voxel."""
    section = height * width
    above, before = 0, 0
    for voxel in range(index.size):
        flat = index[voxel]
        if flat % width != 0 and voxel > 0 and index[voxel - 1] == flat - 1:
            neighbours[voxel, 2] = voxel - 1
            neighbours[voxel - 1, 3] = voxel
        while index[before] < flat - width:
            before += 1
        if index[before] == flat - width and flat % section >= width:
            neighbours[voxel, 1] = before
            neighbours[before, 4] = voxel
        while index[above] < flat - section:
            above += 1
        if index[above] == flat - section:
            neighbours[voxel, 0] = above
            neighbours[above, 5] = voxel


@njit(cache=True, nogil=True)
def _unite(neighbours: Any, among: Any, parent: Any) -> None:
    """Unite neighbours that are both in `among`."""
    for voxel in range(parent.size):
        if among[voxel]:
            for side in range(3):
                other = neighbours[voxel, side]
                if other >= 0 and among[other]:
                    union(parent, voxel, other)


@njit(cache=True, nogil=True)
def _first_of(labels: Any, count: int) -> Any:
    """Return the list position of the first voxel of each label 1..`count`."""
    first = np.full(count, -1, np.int64)
    for voxel in range(labels.size):
        if labels[voxel] != 0 and first[labels[voxel] - 1] < 0:
            first[labels[voxel] - 1] = voxel
    return first


@njit(cache=True, nogil=True, inline="always")
def _wait(voxel: int, level: int, first: Any, last: Any, behind: Any) -> None:
    """Append a voxel to the queue of its level."""
    behind[voxel] = -1
    if first[level] < 0:
        first[level] = voxel
    else:
        behind[last[level]] = voxel
    last[level] = voxel


@njit(cache=True, nogil=True)
def _flood(levels: Any, labels: Any, neighbours: Any) -> None:
    """Grow labels in place over all voxels that they reach, highest level first.

    Voxels of equal level are processed in the order in which they were reached, so that two labels share a plateau
    equally. Saturated probabilities are plateaus; sorted edges, as in `seeded_watershed`, would give each plateau to
    one label.

    Args:
        levels: (V,) levels 1..255.
        labels: (V,) seed ids, 0 outside of seeds.
        neighbours: result of `neighbours_of`.
    """
    # One linked queue per level. Each voxel is queued once, when it gets its label.
    first, last = np.full(LEVELS, -1, np.int32), np.full(LEVELS, -1, np.int32)
    behind = np.empty(levels.size, np.int32)
    for voxel in range(levels.size):
        if labels[voxel] != 0:
            _wait(voxel, levels[voxel], first, last, behind)
    top = LEVELS - 1
    while top > 0:
        voxel = first[top]
        if voxel < 0:
            top -= 1
            continue
        first[top] = behind[voxel]
        for side in range(6):
            other = neighbours[voxel, side]
            if other >= 0 and labels[other] == 0:
                labels[other] = labels[voxel]
                _wait(other, levels[other], first, last, behind)
                top = max(top, levels[other])
