"""The fragments of one block."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from sectome.blockwise.block_grid import in_volume, inside
from sectome.blockwise.neuron_plan import NeuronPlan
from sectome.neighbourhoods import NEAREST
from sectome.postprocess.affinities_to_labels import in_foreground, of_distance
from sectome.postprocess.check_affinities import nearest_affinities, nearest_channels
from sectome.postprocess.fragments_distance import fragments_with_seeds
from sectome.types import AXES, Array, Box, LabelArray
from sectome.volumes.shards import write_box
from sectome.volumes.tensorstore_process import open_zarr


def find_fragments(plan: NeuronPlan, number: int) -> dict[str, Array]:
    """Grow the fragments of a block with its context, and write those of its core, numbered from 1.

    Returns:
        for the N fragments in the core: "voxels" there; the "first" of them, and the first voxel of the "seed" from
        which each grew, in the core or its context, as flat indices of the volume; "sure" (N,), false if the seed is so
        close to the limit of the context that it may not be a seed in the whole volume. For each axis, this block's
        fragments in the planes next to the core, as numbers of the core's fragments or 0: "below_z" (y, x) before it
        and "above_z" after it, absent at the ends of the volume.
    """
    box = plan.grid.with_context(number, plan.context, plan.context)
    core = plan.grid.core(number)
    nearest = nearest_affinities(plan.source.read(box, nearest_channels(plan.source.offsets)), NEAREST)
    grown, seeds = fragments_with_seeds(
        in_foreground(nearest, plan.options), **of_distance(plan.options, plan.source.voxel_size_nm), threads=1
    )
    own = np.ascontiguousarray(grown[inside(core, box)])
    numbers, voxels, first = number_core(own, len(seeds) - 1)
    write_box(open_zarr(plan.blocks_path, write=True), core, numbers[own])
    of_own = np.zeros(len(voxels), np.int64)
    of_own[numbers[numbers > 0] - 1] = seeds[numbers > 0]
    found: dict[str, Array] = {
        "voxels": voxels,
        "first": in_volume(first, core, plan.grid.shape),
        "seed": in_volume(of_own, box, plan.grid.shape),
        "sure": _seen_around(of_own, box, plan),
    }
    for axis, name in enumerate(AXES):
        part = inside(core, box)[axis]
        for side, at in (("below", part.start - 1), ("above", part.stop)):
            if 0 <= at < grown.shape[axis]:
                face: list[slice | int] = list(inside(core, box))
                face[axis] = at
                found[f"{side}_{name}"] = numbers[grown[tuple(face)]]
    return found


def _seen_around(flat: Array, box: Box, plan: NeuronPlan) -> npt.NDArray[np.bool_]:
    """Return whether voxels, flat indices of a box, lie far enough from its faces to be seeds in any larger box."""
    sigma_nm = plan.options.sigma_nm
    size = plan.source.voxel_size_nm
    reach_nm = 2 * (1.5 * min(size) if sigma_nm is None else sigma_nm)
    seen = np.ones(len(flat), np.bool_)
    places = np.unravel_index(flat, [part.stop - part.start for part in box])
    for at, part, extent, edge in zip(places, box, plan.grid.shape, size, strict=True):
        margin = round(reach_nm / edge) + 1
        if part.start > 0:
            seen &= at >= margin
        if part.stop < extent:
            seen &= at < part.stop - part.start - margin
    return seen


def number_core(core: LabelArray, largest: int) -> tuple[LabelArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the labels of a core (z, y, x), at most `largest`, in the order of their first voxels.

    Returns:
        (largest + 1,) uint32, new numbers from 1, 0 for labels that do not occur; (N,) number of voxels and (N,) first
        voxel, a flat index, of each new number.
    """
    numbers = np.zeros(largest + 1, np.uint32)
    voxels, first = np.zeros(numbers.size, np.int64), np.zeros(numbers.size, np.int64)
    count = _number(core.ravel(), numbers, voxels, first)
    return numbers, voxels[:count].copy(), first[:count].copy()


@njit(cache=True, nogil=True)
def _number(core: LabelArray, numbers: LabelArray, voxels: Array, first: Array) -> int:
    """Fill `numbers`, `voxels` and `first`; return the number of labels."""
    count = 0
    for index in range(core.size):
        label = core[index]
        if label == 0:
            continue
        if numbers[label] == 0:
            first[count] = index
            count += 1
            numbers[label] = count
        voxels[numbers[label] - 1] += 1
    return count
