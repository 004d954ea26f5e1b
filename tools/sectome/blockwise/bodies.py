"""Bodies: connected components of foreground that span several blocks, each grown as a whole into mitochondria."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sectome.blockwise.block_edges import as_id, block_of, within_block
from sectome.blockwise.block_grid import in_volume
from sectome.blockwise.mitochondria_plan import MitochondriaPlan
from sectome.checks import InputError
from sectome.postprocess.listed_voxels import BYTES_A_VOXEL, ListedVoxels, grow_objects, neighbours_of
from sectome.replace import replacing
from sectome.types import Array, LabelArray
from sectome.volumes.shards import write_box
from sectome.volumes.tensorstore_process import open_zarr

PARTS = "parts.npy"
"""(P, 2), id as `as_id` makes it and number of voxels of each part, grouped by the block that grows its body."""

PARTS_STARTS = "parts_starts.npy"
"""(blocks + 1,), where each block's group of parts begins in `PARTS`."""

NUMBERS = "numbers.npy"
"""(N,), the final number of each object in the volume: first the objects of all blocks, then those of all bodies."""

NUMBERS_STARTS = "numbers_starts.npy"
"""(2 * blocks + 1,), where the objects of each block, then those of the bodies that it grows, begin in `NUMBERS`."""


def unite_parts(plan: MitochondriaPlan, number: int = 0) -> dict[str, Array]:
    """Combine connected parts into bodies, and save which block grows each: the one with its first part.

    Returns:
        "bodies", the number of bodies large enough to hold an object.
    """
    blocks = range(len(plan.grid))
    sizes = [np.diff(plan.folder.read("objects", block, ["starts"])["starts"]) for block in blocks]
    starts = np.cumsum([0, *map(len, sizes)])
    voxels = np.concatenate(sizes)
    ids = np.concatenate([as_id(block, np.arange(1, len(own) + 1)) for block, own in zip(blocks, sizes, strict=True)])
    same = np.concatenate([plan.folder.read("contacts", block)["same"] for block in blocks])
    one, two = (starts[block_of(same)] + within_block(same) - 1).T
    count, body = connected_components(coo_array((np.ones(len(one), np.bool_), (one, two)), (len(ids), len(ids))))
    least = max(1, plan.options.min_seed_voxels, plan.options.min_size_voxels)
    large = np.bincount(body, weights=voxels, minlength=count) >= least
    first = np.full(count, len(ids))
    np.minimum.at(first, body, np.arange(len(ids)))
    # The block that grows each part. Parts of bodies too small for an object get a number past the last block and are
    # dropped.
    grows = np.where(large, block_of(ids[first]), len(plan.grid))[body]
    by_block = np.argsort(grows, kind="stable")[: int(large[body].sum())]
    of_blocks = np.searchsorted(grows[by_block], np.arange(len(plan.grid) + 1))
    plan.folder.save(PARTS, np.stack([ids[by_block], voxels[by_block]], axis=1))
    plan.folder.save(PARTS_STARTS, of_blocks)
    return {"bodies": np.array(int(large.sum()))}


def grow_bodies(plan: MitochondriaPlan, number: int) -> dict[str, Array]:
    """Grow the bodies that begin in a block, and write their share of each block that they reach.

    Returns:
        "first" (N,), the first voxel of the seed of each object, as a flat index of the volume.

    Raises:
        InputError: if they do not fit into free memory.
    """
    start, stop = plan.folder.load(PARTS_STARTS)[number : number + 2]
    ids, sizes = plan.folder.load(PARTS)[start:stop].T
    _check_memory(plan, number, int(sizes.sum()))
    blocks = block_of(ids)
    lists = [_read_parts(plan, int(block), within_block(ids[blocks == block])) for block in np.unique(blocks)]
    if not lists:
        return {"first": np.empty(0, np.int64)}
    voxels = ListedVoxels(
        *(np.concatenate([getattr(one, name) for one in lists]) for name in ("index", "level", "seeded"))
    )
    voxels = voxels[np.argsort(voxels.index)]
    grown = grow_objects(
        voxels,
        neighbours_of(voxels.index, plan.grid.shape),
        plan.options.min_seed_voxels,
        plan.options.min_size_voxels,
    )
    _write_by_block(plan, number, voxels.index, grown.labels)
    return {"first": grown.first}


def number_objects(plan: MitochondriaPlan, number: int = 0) -> dict[str, Array]:
    """Number all objects by the first voxels of their seeds, as in a segmentation of the whole volume.

    Returns:
        "segments", the number of objects.
    """
    firsts = [
        plan.folder.read(stage, block, ["first"])["first"]
        for stage in ("objects", "bodies")
        for block in range(len(plan.grid))
    ]
    all_first = np.concatenate(firsts)
    numbers = np.empty(all_first.size, np.int64)
    numbers[np.argsort(all_first)] = np.arange(1, all_first.size + 1)
    plan.folder.save(NUMBERS, numbers)
    plan.folder.save(NUMBERS_STARTS, np.cumsum([0, *map(len, firsts)]))
    return {"segments": np.array(all_first.size)}


def write_objects(plan: MitochondriaPlan, number: int) -> dict[str, Array]:
    """Write the numbered objects in a block's core: its own and those of bodies that extend into it."""
    core, output = plan.grid.core(number), open_zarr(plan.partial_output / "0", write=True)
    numbers = plan.folder.load(NUMBERS)
    starts = plan.folder.load(NUMBERS_STARTS)
    dtype = output.dtype.numpy_dtype

    def numbers_of(place: int) -> LabelArray:
        """Return a lookup table of final numbers for the objects of one block or of its bodies."""
        return np.concatenate([[0], numbers[starts[place] : starts[place + 1]]]).astype(dtype)

    labels = numbers_of(number)[open_zarr(plan.blocks_path)[core].read().result()]
    for path in sorted(_reaching(plan, number).glob("*.npz")):
        with np.load(path) as grown:
            labels.ravel()[grown["index"]] = numbers_of(len(plan.grid) + int(path.stem))[grown["labels"]]
    write_box(output, core, labels)
    return {}


def _reaching(plan: MitochondriaPlan, number: int) -> Path:
    """Return the folder of the voxels that bodies have in a block."""
    return plan.bodies_path / str(number)


def _read_parts(plan: MitochondriaPlan, block: int, parts: Array) -> ListedVoxels:
    """Return the voxels of the given parts of a block."""
    record = plan.folder.read("objects", block, ["index", "level", "seeded", "starts"])
    starts = record["starts"]
    chosen = np.concatenate([np.arange(starts[part - 1], starts[part]) for part in parts])
    index = in_volume(record["index"][chosen], plan.grid.core(block), plan.grid.shape)
    return ListedVoxels(index, record["level"][chosen], record["seeded"][chosen])


def _write_by_block(plan: MitochondriaPlan, number: int, index: Array, labels: LabelArray) -> None:
    """Write the labels of objects to the blocks that they lie in, with flat indices of each block's core."""
    index, labels = index[labels > 0], labels[labels > 0]
    places = np.unravel_index(index, plan.grid.shape)
    blocks = np.ravel_multi_index(
        tuple(at // size for at, size in zip(places, plan.grid.block, strict=True)), plan.grid.counts
    )
    for block in np.unique(blocks):
        here, core = blocks == block, plan.grid.core(int(block))
        at = np.ravel_multi_index(
            tuple(place[here] - part.start for place, part in zip(places, core, strict=True)),
            [part.stop - part.start for part in core],
        )
        with replacing(_reaching(plan, int(block)) / f"{number}.npz") as partial, partial.open("wb") as file:
            np.savez(file, index=at.astype(np.uint32), labels=labels[here])


def _check_memory(plan: MitochondriaPlan, number: int, voxels: int) -> None:
    """Raise an `InputError` if growing this many voxels does not fit into free memory."""
    needed, free = voxels * BYTES_A_VOXEL, psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"expected enough memory for connected foreground of {voxels} voxels from block {number} on, "
            f"{needed / 2**30:.1f} GiB, got {free / 2**30:.1f} GiB: raise the threshold foreground, now "
            f"{plan.options.foreground:g}, so that it falls apart, or use fewer workers"
        )
