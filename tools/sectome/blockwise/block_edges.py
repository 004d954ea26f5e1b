"""Region-graph edges whose affinities belong to one block, and fragments that continue beyond its faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sectome.blockwise.block_grid import inside
from sectome.blockwise.neuron_plan import NeuronPlan
from sectome.neighbourhoods import NEAREST
from sectome.postprocess import region_graph
from sectome.types import AXES, Array, Box, LabelArray
from sectome.volumes.tensorstore_process import open_zarr


def find_edges(plan: NeuronPlan, number: int) -> dict[str, Array]:
    """Sum the affinities between fragments, and find which fragments of preceding blocks continue in this one.

    Returns:
        "edges" (E, 2), ids of fragments as `as_id` makes them, with "sums", "counts", "touching" and "unit", see
        `RegionGraph`; "same" (P, 2), pairs of ids that belong to one fragment.
    """
    offsets = NEAREST if plan.options.long_range == "no" else plan.source.offsets
    channels = [plan.source.offsets.index(step) for step in offsets]
    before = [max(0, *(-step[axis] for step in offsets)) for axis in range(3)]
    after = [max(0, *(step[axis] for step in offsets)) for axis in range(3)]
    box = plan.grid.with_context(number, before, after)
    fragments, ids = read_fragments(plan, box)
    graph = region_graph(
        plan.source.read(box, channels),
        offsets,
        fragments,
        # Keep all: whether two fragments touch is known only for the whole volume.
        long_range="no" if plan.options.long_range == "no" else "all",
        core=inside(plan.grid.core(number), box),
        threads=1,
    )
    return {
        "edges": ids[graph.edges],
        "sums": graph.sums,
        "counts": graph.counts,
        "unit": np.array(graph.unit),
        "touching": graph.touches,
        "same": same_fragments(plan, number),
    }


def as_id(block: int, fragment: LabelArray) -> npt.NDArray[np.int64]:
    """Return ids that combine a block's number with the numbers of its fragments."""
    return (np.int64(block) << 32) | fragment.astype(np.int64)


def block_of(ids: Array) -> Array:
    """Return the block number of each id that `as_id` made."""
    return ids >> 32


def within_block(ids: Array) -> Array:
    """Return the number inside its block of each id that `as_id` made."""
    return ids & 0xFFFFFFFF


def read_fragments(plan: NeuronPlan, box: Box) -> tuple[LabelArray, npt.NDArray[np.int64]]:
    """Return the fragments of a box (z, y, x), numbered consecutively across its blocks, and the id of each."""
    store = open_zarr(plan.blocks_path)
    fragments = np.zeros([part.stop - part.start for part in box], np.uint32)
    ids = [np.zeros(1, np.int64)]
    count = 0
    for block, part in plan.grid.touching(box):
        own = store[part].read().result()
        largest = int(own.max(initial=0))
        fragments[inside(part, box)] = np.where(own > 0, own + np.uint32(count), np.uint32(0))
        ids.append(as_id(block, np.arange(1, largest + 1)))
        count += largest
    return fragments, np.concatenate(ids)


def same_fragments(plan: NeuronPlan, number: int) -> npt.NDArray[np.int64]:
    """Return pairs (P, 2) of a preceding block's fragment and one of this block's that are one fragment.

    Two fragments that touch across a face are one if both grew from the same seed; or, if a seed is not "sure" (see
    `find_fragments`), if both blocks assign most voxels on either side of the contact to one fragment. All others are
    left to the agglomeration.
    """
    store = open_zarr(plan.blocks_path)
    core = plan.grid.core(number)
    own = plan.folder.read("fragments", number)
    pairs = [np.empty((0, 2), np.int64)]
    for axis, name in enumerate(AXES):
        if core[axis].start == 0:
            continue
        before = plan.grid.before(number, axis)
        other = plan.folder.read("fragments", before)
        at = list(core)
        at[axis] = slice(core[axis].start - 1, core[axis].start + 1)
        both = store[tuple(at)].read().result()
        last, first = both.take(0, axis), both.take(1, axis)
        agreed = (other[f"above_{name}"] == last) & (own[f"below_{name}"] == first)
        touching = (last > 0) & (first > 0)
        contacts, places = np.unique(
            (last[touching].astype(np.int64) << 32) | first[touching].astype(np.int64), return_inverse=True
        )
        u, v = contacts >> 32, contacts & 0xFFFFFFFF
        most = 2 * np.bincount(places, weights=agreed[touching]) > np.bincount(places)
        one = other["seed"][u - 1] == own["seed"][v - 1]
        one |= most & ~(other["sure"][u - 1] & own["sure"][v - 1])
        pairs.append(np.stack([as_id(before, u[one]), as_id(number, v[one])], axis=1))
    return np.concatenate(pairs)
