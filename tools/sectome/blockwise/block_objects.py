"""The mitochondria of one block, and foreground that may continue beyond it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sectome.blockwise.block_edges import as_id
from sectome.blockwise.block_grid import in_volume
from sectome.blockwise.mitochondria_plan import MitochondriaPlan
from sectome.postprocess.boundary_contour_to_labels import list_foreground
from sectome.postprocess.listed_voxels import grow_objects, neighbours_of, parts_of
from sectome.types import Array, Box, Shape3
from sectome.volumes.shards import write_box
from sectome.volumes.tensorstore_process import open_zarr


def find_objects(plan: MitochondriaPlan, number: int) -> dict[str, Array]:
    """Grow and write the objects of foreground that ends within a block, and list the voxels of the rest.

    Parts are the face-connected components of the foreground, grown independently. A part is complete unless it has a
    voxel at a face shared with another block.

    Returns:
        "first" (N,), the first voxel of the seed of each of the N objects, numbered from 1, as a flat index of the
        volume. For the P parts that may continue, their voxels, part by part and each in ascending order: "index" (V,)
        uint32 in the core, "level" (V,) and "seeded" (V,), see `ListedVoxels`; "starts" (P + 1,) of the parts.
    """
    core, options = plan.grid.core(number), plan.options
    maps = plan.source.read(core)
    shape = maps.shape[1:]
    voxels = list_foreground(maps[:2], maps[2] if len(maps) == 3 else None, options)
    neighbours = neighbours_of(voxels.index, shape)
    parts = parts_of(neighbours, np.ones(len(voxels), np.bool_))
    may_go_on = np.zeros(int(parts.max(initial=0)) + 1, np.bool_)
    may_go_on[parts[_at_inner_faces(voxels.index, core, plan.grid.shape)]] = True
    going_on = may_go_on[parts]

    complete = replace(voxels, seeded=voxels.seeded & ~going_on)
    grown = grow_objects(complete, neighbours, options.min_seed_voxels, options.min_size_voxels)
    labels = np.zeros(shape, np.uint32)
    labels.ravel()[voxels.index] = grown.labels
    write_box(open_zarr(plan.blocks_path, write=True), core, labels)

    by_part = np.flatnonzero(going_on)
    by_part = by_part[np.argsort(parts[by_part], kind="stable")]
    listed = voxels[by_part]
    sizes = np.bincount(parts, minlength=may_go_on.size)[may_go_on]
    return {
        "first": in_volume(grown.first, core, plan.grid.shape),
        "index": listed.index.astype(np.uint32),
        "level": listed.level,
        "seeded": listed.seeded,
        "starts": np.cumsum([0, *sizes]),
    }


def find_contacts(plan: MitochondriaPlan, number: int) -> dict[str, Array]:
    """Find which parts of preceding blocks share a face with parts of this block.

    Returns:
        "same" (S, 2), pairs of ids of parts as `as_id` makes them.
    """
    core = plan.grid.core(number)
    own = plan.folder.read("objects", number, ["index", "starts"])
    pairs = [np.empty((0, 2), np.int64)]
    for axis, part in enumerate(core):
        if part.start == 0:
            continue
        before = plan.grid.before(number, axis)
        other = plan.folder.read("objects", before, ["index", "starts"])
        (last, above), (first, below) = (
            _in_plane(record["index"], plan.grid.core(block), axis, at)
            for record, block, at in ((other, before, -1), (own, number, 0))
        )
        _, of_last, of_first = np.intersect1d(above, below, assume_unique=True, return_indices=True)
        one, two = _part_of(last[of_last], other["starts"]), _part_of(first[of_first], own["starts"])
        pairs.append(np.unique(np.stack([as_id(before, one), as_id(number, two)], axis=1), axis=0))
    return {"same": np.concatenate(pairs)}


def _in_plane(index: Array, core: Box, axis: int, at: int) -> tuple[Array, Array]:
    """Return which of the flat indices lie in the core's first (0) or last (-1) plane, and their flat indices there."""
    shape = [part.stop - part.start for part in core]
    places = list(np.unravel_index(index, shape))
    here = np.flatnonzero(places[axis] == at % shape[axis])
    del places[axis], shape[axis]
    return here, np.ravel_multi_index(tuple(place[here] for place in places), shape)


def _part_of(voxels: Array, starts: Array) -> npt.NDArray[np.int64]:
    """Return the part, from 1 on, of each position in a list that holds one part after the other."""
    return np.searchsorted(starts, voxels, side="right")


def _at_inner_faces(flat: Array, core: Box, shape: Shape3) -> npt.NDArray[np.bool_]:
    """Return which voxels, flat indices of a core, lie at a face inside the volume."""
    places = np.unravel_index(flat, [part.stop - part.start for part in core])
    reached = np.zeros(flat.size, np.bool_)
    for at, part, extent in zip(places, core, shape, strict=True):
        if part.start > 0:
            reached |= at == 0
        if part.stop < extent:
            reached |= at == part.stop - part.start - 1
    return reached
