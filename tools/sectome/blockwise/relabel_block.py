"""Writing one block of the output: segments instead of fragments, or a block of a coarser level."""

from __future__ import annotations

import numpy as np

from sectome.blockwise.group import members_of
from sectome.blockwise.join_blocks import SEGMENTS, STARTS
from sectome.blockwise.neuron_plan import NeuronPlan
from sectome.blockwise.plan import Plan
from sectome.types import Array
from sectome.volumes.downsample import block_majority
from sectome.volumes.shards import write_box
from sectome.volumes.tensorstore_process import open_zarr


def relabel_block(plan: NeuronPlan, number: int) -> dict[str, Array]:
    """Write the segments of a block's core."""
    core = plan.grid.core(number)
    fragments = open_zarr(plan.blocks_path)[core].read().result()
    member, parts = number, np.arange(1, int(fragments.max(initial=0)) + 1)
    for level in range(1, plan.group_levels + 1):
        group = plan.group_of(level, number)
        merged = plan.folder.read(f"merge_{level}", group, ["starts", "into"])
        start = merged["starts"][members_of(plan, level, group).index(member)]
        member, parts = group, merged["into"][start + parts - 1]
    start = plan.folder.load(STARTS)[member]
    output = open_zarr(plan.partial_output / "0", write=True)
    lookup = np.zeros(len(parts) + 1, output.dtype.numpy_dtype)
    lookup[1:] = plan.folder.load(SEGMENTS)[start + parts]
    write_box(output, core, lookup[fragments])
    return {}


def coarsen_block(level: int, plan: Plan, number: int) -> dict[str, Array]:
    """Write a block of a level above 0 by downsampling the next finer level."""
    factors = plan.levels[level - 1].factors
    core = plan.level_grid(level).core(number)
    finer = open_zarr(plan.partial_output / str(level - 1))
    box = tuple(
        slice(part.start * factor, min(part.stop * factor, extent))
        for part, factor, extent in zip(core, factors, finer.shape, strict=True)
    )
    coarser = block_majority(finer[box].read().result(), factors)
    write_box(open_zarr(plan.partial_output / str(level), write=True), core, coarser)
    return {}
