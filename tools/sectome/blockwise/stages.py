"""The stages of a run in order, and how a worker processes a block of one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import sectome
from sectome.blockwise.block_edges import find_edges
from sectome.blockwise.block_fragments import find_fragments
from sectome.blockwise.block_objects import find_contacts, find_objects
from sectome.blockwise.bodies import grow_bodies, number_objects, unite_parts, write_objects
from sectome.blockwise.join_blocks import join_blocks
from sectome.blockwise.label_array import create_labels
from sectome.blockwise.merge_group import merge_group
from sectome.blockwise.mitochondria_plan import MitochondriaPlan
from sectome.blockwise.neuron_plan import NeuronPlan
from sectome.blockwise.plan import Plan
from sectome.blockwise.predicted_maps import PredictedMaps
from sectome.blockwise.relabel_block import coarsen_block, relabel_block
from sectome.checks import InputError
from sectome.steady_memory import give_back_memory
from sectome.types import Array

_GPU = (("GPU", 1.0),)


class OtherVersionError(InputError):
    """A worker has another version of sectome than the run, so it cannot process its blocks."""


@dataclass(frozen=True)
class Stage:
    """A step of a run over independent blocks, after all blocks of the previous stages.

    Attributes:
        name: name of the stage.
        blocks: number of blocks.
        work: processes a block and returns its record; picklable, and idempotent.
        voxels: number of voxels of all blocks together.
        prepare: creates the arrays that the blocks write to; idempotent.
        resources: Dask resources that a worker must have.
    """

    name: str
    blocks: int
    work: Callable[[Any, int], dict[str, Array]]
    voxels: int
    prepare: Callable[[Plan], None] | None = None
    resources: tuple[tuple[str, float], ...] = ()


def stages_of(plan: Plan) -> list[Stage]:
    """Return the stages of a run."""
    blocks, voxels = len(plan.grid), int(np.prod(plan.grid.shape))
    stages = []
    if isinstance(plan.source, PredictedMaps):
        stages.append(Stage("predict", blocks, _predict, voxels, _prepare_maps, _GPU if plan.gpu_resource else ()))
    if isinstance(plan, NeuronPlan):
        stages += [
            Stage("fragments", blocks, find_fragments, voxels, _prepare_blocks),
            Stage("edges", blocks, find_edges, voxels),
            *(
                Stage(f"merge_{level}", len(plan.groups(level)), partial(merge_group, level), voxels)
                for level in range(1, plan.group_levels + 1)
            ),
            Stage("join", 1, join_blocks, voxels),
            Stage("relabel", blocks, relabel_block, voxels, partial(_prepare_level, 0)),
        ]
    else:
        assert isinstance(plan, MitochondriaPlan)
        stages += [
            Stage("objects", blocks, find_objects, voxels, _prepare_blocks),
            Stage("contacts", blocks, find_contacts, voxels),
            Stage("unite", 1, unite_parts, voxels),
            Stage("bodies", blocks, grow_bodies, voxels),
            Stage("join", 1, number_objects, voxels),
            Stage("relabel", blocks, write_objects, voxels, partial(_prepare_level, 0)),
        ]
    for level in range(1, len(plan.levels) + 1):
        grid = plan.level_grid(level)
        work, prepare = partial(coarsen_block, level), partial(_prepare_level, level)
        stages.append(Stage(f"level_{level}", len(grid), work, int(np.prod(grid.shape)), prepare))
    return stages


def do_block(plan: Plan, stage: Stage, number: int) -> None:
    """Process a block of a stage and record it, unless it is done.

    Raises:
        OtherVersionError: if this worker has another version of sectome than the run.
    """
    if sectome.__version__ != plan.version:
        raise OtherVersionError(f"expected a worker with sectome {plan.version}, got one with {sectome.__version__}")
    if plan.folder.is_done(stage.name, number):
        return
    give_back_memory()
    began, cpu_began = time.perf_counter(), time.process_time()
    plan.folder.log(stage.name, number, "begin", 0, 0)
    found = stage.work(plan, number)
    plan.folder.record(stage.name, number, found)
    plan.folder.log(stage.name, number, "done", time.perf_counter() - began, time.process_time() - cpu_began)


def _prepare_maps(plan: Plan) -> None:
    assert isinstance(plan.source, PredictedMaps)
    plan.source.prepare(plan.grid.block)


def _predict(plan: Plan, number: int) -> dict[str, Array]:
    assert isinstance(plan.source, PredictedMaps)
    plan.source.predict(plan.grid.core(number))
    return {}


def _prepare_blocks(plan: Plan) -> None:
    create_labels(plan.blocks_path, plan.grid, np.uint32, plan.placement)


def _prepare_level(level: int, plan: Plan) -> None:
    segments = int(plan.folder.read("join", 0)["segments"])
    placement = plan.placement if level == 0 else plan.levels[level - 1].placement
    dtype = np.uint32 if segments < 2**32 else np.uint64
    create_labels(plan.partial_output / str(level), plan.level_grid(level), dtype, placement)
