"""The plan of a blockwise run from affinities to neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sectome.blockwise.block_grid import BlockGrid
from sectome.blockwise.plan import MapSource, Plan, blocks_of, check_output_name
from sectome.checks import InputError, check_whole_triple
from sectome.postprocess import SegmentationOptions
from sectome.run_folder import RunFolder
from sectome.types import Offset, Shape3

CONTEXT_IN_SHORTEST_EDGES = 32
"""Default context for growing fragments, in shortest voxel edges."""

GROUP = (4, 4, 4)

JOINED_AT_ONCE = 64
"""Maximum number of groups in the final join; more are first merged into larger groups."""


class AffinitySource(MapSource, Protocol):
    """Affinities that each process can read; pickled when sent to a worker."""

    @property
    def offsets(self) -> tuple[Offset, ...]: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class NeuronPlan(Plan):
    """A run from affinities to neurons.

    Attributes:
        source: the affinities.
        options: options of the segmentation.
        context: voxels (z, y, x) around a block's core in which its fragments are grown.
        group: members (z, y, x) of a group: blocks on level 1, groups of the level below above that.
    """

    BLOCKS: ClassVar[str] = "fragments.zarr"
    BYTES_A_VOXEL: ClassVar[float] = 46
    # Four-byte fragments and labels compress to a tenth or less.
    DISK_BYTES_A_VOXEL: ClassVar[float] = 2 * 0.4

    source: AffinitySource
    options: SegmentationOptions
    group: Shape3 = GROUP

    def groups(self, level: int) -> BlockGrid:
        """Return the grid of groups of a level, in units of blocks; a group of level 2 holds `group` of level 1."""
        z, y, x = (size**level for size in self.group)
        return BlockGrid(self.grid.counts, (z, y, x))

    def group_of(self, level: int, number: int) -> int:
        """Return the number of the group of a level that contains a block."""
        groups = self.groups(level)
        return groups.number([at // size for at, size in zip(self.grid.place(number), groups.block, strict=True)])

    @property
    def group_levels(self) -> int:
        """Number of levels of groups: as many as it takes to leave at most `JOINED_AT_ONCE` groups."""
        level = 1
        while JOINED_AT_ONCE < len(self.groups(level)) > len(self.groups(level + 1)):
            level += 1
        return level

    def description(self) -> dict[str, Any]:
        """Return plain values that must be unchanged for a run to resume."""
        return {
            **super().description(),
            "context_voxels": list(self.context),
            "group_blocks": list(self.group),
            "group_levels": self.group_levels,
        }


def plan_neurons(
    source: AffinitySource,
    output: str | Path,
    folder: str | Path,
    options: SegmentationOptions | None = None,
    *,
    block_voxels: Sequence[int] | None = None,
    context_voxels: Sequence[int] | None = None,
    group_blocks: Sequence[int] = GROUP,
    gpu_resource: bool = False,
) -> NeuronPlan:
    """Return the plan of a run from affinities to neurons.

    Args:
        source: affinities whose offsets include `sectome.neighbourhoods.NEAREST`.
        output: folder to write, whose name must end in .ome.zarr.
        folder: folder with the state that the run needs to resume.
        options: see `SegmentationOptions`; thresholds must be numbers, the method "mean"
            and the fragments "distance".
        block_voxels: block size (z, y, x): whole chunks of the output, no smaller than the context. By default about 16
            million voxels, flat if sections are thick.
        context_voxels: voxels (z, y, x) around a block's core in which its fragments are grown; by default 32 shortest
            voxel edges along each axis.
        group_blocks: blocks (z, y, x) of a group, merged before the whole.
        gpu_resource: whether only workers with the Dask resource GPU predict blocks.

    Raises:
        InputError: if the output's name, an option or a size is invalid.
    """
    path, options = check_output_name(output), options or SegmentationOptions()
    for name in ("boundary_threshold", "low", "high"):
        if isinstance(value := getattr(options, name), str):
            raise InputError(f"{name} must be a number for blockwise segmentation, got the percentile {value}")
    for name, only in (("method", "mean"), ("fragments", "distance")):
        if (value := getattr(options, name)) != only:
            raise InputError(f"{name} must be {only} for blockwise segmentation, got {value}")
    if context_voxels is None:
        shortest = min(source.voxel_size_nm)
        context_voxels = [max(1, round(CONTEXT_IN_SHORTEST_EDGES * shortest / edge)) for edge in source.voxel_size_nm]
    context = check_whole_triple(context_voxels, "context_voxels")
    return NeuronPlan(
        folder=RunFolder(Path(folder).absolute()),
        output=path,
        source=source,
        options=options,
        grid=blocks_of(source, block_voxels, context),
        context=context,
        group=check_whole_triple(group_blocks, "group_blocks"),
        gpu_resource=gpu_resource,
    )
