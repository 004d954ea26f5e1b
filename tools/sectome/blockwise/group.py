"""Groups of blocks that are merged together, and groups of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from sectome.blockwise.block_edges import block_of
from sectome.blockwise.block_grid import BlockGrid
from sectome.blockwise.neuron_plan import NeuronPlan
from sectome.types import Array, Box


@dataclass(frozen=True)
class Group:
    """A group of neighbouring members.

    Attributes:
        level: 1 if its members are blocks; above 1, they are groups of the level below.
        members: numbers of the members, ascending.
        beyond: numbers of non-members whose edges may end in this group.
        blocks: numbers of all blocks in the group.
    """

    level: int
    members: Sequence[int]
    beyond: Sequence[int]
    blocks: Sequence[int]

    @classmethod
    def of(cls, plan: NeuronPlan, level: int, number: int) -> Group:
        """Return a group of a plan."""
        below = plan.groups(level - 1)
        members = BlockGrid(below.counts, plan.group)
        # An edge is stored with the voxel that its offset starts from, which may lie several members away.
        sizes = [voxels * blocks for voxels, blocks in zip(plan.grid.block, below.block, strict=True)]
        steps = [list(axis) for axis in zip(*plan.source.offsets, strict=True)]
        before = [max(0, -(-max(axis) // size)) for axis, size in zip(steps, sizes, strict=True)]
        after = [max(1, -(min(axis) // size)) for axis, size in zip(steps, sizes, strict=True)]
        around = _numbers(below, members.with_context(number, before, after))
        within = members_of(plan, level, number)
        blocks = _numbers(plan.grid, plan.groups(level).core(number))
        return cls(level, within, sorted({*around} - {*within}), blocks)

    @classmethod
    def of_all(cls, plan: NeuronPlan) -> Group:
        """Return the group of all groups of the last level."""
        return cls(plan.group_levels + 1, range(len(plan.groups(plan.group_levels))), (), range(len(plan.grid)))

    def holds(self, ids: Array) -> npt.NDArray[np.bool_]:
        """Return which fragments, given by id, lie in blocks of this group."""
        return np.isin(block_of(ids), np.asarray(self.blocks))


def members_of(plan: NeuronPlan, level: int, number: int) -> list[int]:
    """Return the numbers of a group's members, ascending."""
    below = plan.groups(level - 1)
    return _numbers(below, BlockGrid(below.counts, plan.group).core(number))


def _numbers(grid: BlockGrid, box: Box) -> list[int]:
    """Return the numbers of all grid positions in a box, ascending."""
    return [grid.number(place) for place in product(*(range(part.start, part.stop) for part in box))]
