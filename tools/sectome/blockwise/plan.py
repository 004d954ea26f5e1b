"""What a blockwise run is to do: its options, its input, its blocks, and what they will take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import sectome
from sectome.blockwise.block_grid import BlockGrid
from sectome.blockwise.run_folder import RunFolder
from sectome.checks import InputError, check_whole_triple
from sectome.geometry import Placement
from sectome.postprocess import SegmentationOptions
from sectome.types import Array, Offset, Shape3, VoxelSize
from sectome.volumes.blocks import CHUNK as LABEL_CHUNK
from sectome.volumes.downsample import CoarserLevel, coarser_levels
from sectome.volumes.store_address import local_path

CONTEXT_IN_SHORTEST_EDGES = 32
"""How far a block looks beyond its core for fragments."""


VERSION = sectome.__version__

GROUP = (4, 4, 4)

JOINED_AT_ONCE = 64
"""So many groups can be left for the join; of more, groups of groups are merged first."""

_CUBE, _FLAT = (256, 256, 256), (64, 512, 512)


class AffinitySource(Protocol):
    """Affinities that each process can read; it is pickled on its way to a worker."""

    @property
    def shape(self) -> Shape3: ...  # noqa: D102
    @property
    def offsets(self) -> tuple[Offset, ...]: ...  # noqa: D102
    @property
    def voxel_size_nm(self) -> VoxelSize: ...  # noqa: D102
    @property
    def offset_nm(self) -> tuple[float, float, float]: ...  # noqa: D102
    def read(self, box: Sequence[slice], channels: Sequence[int] | None = None) -> Array:
        """Return a box (K, z, y, x) of all channels or of some."""

    def description(self) -> dict[str, Any]:
        """Return what tells this input from another, as plain values."""


@dataclass(frozen=True)
class Plan:
    """A run, as every worker gets it.

    Attributes:
        folder: of the run.
        output: the OME-Zarr folder that appears at the end.
        source: the affinities.
        options: how they become segments.
        grid: the blocks.
        context: voxels (z, y, x) beyond a block's core in which its fragments are grown.
        group: blocks (z, y, x) that are merged together before all are, and groups that are merged into larger ones.
        gpu_resource: whether blocks are predicted only by workers that have the Dask resource GPU.
        version: of sectome.
    """

    folder: RunFolder
    output: Path
    source: AffinitySource
    options: SegmentationOptions
    grid: BlockGrid
    context: Shape3
    group: Shape3 = GROUP
    gpu_resource: bool = False
    version: str = field(default_factory=lambda: VERSION)

    @property
    def fragments_path(self) -> Path:
        """The zarr array (Z, Y, X) of fragments, each block's numbered from 1."""
        return self.folder.path / "fragments.zarr"

    @property
    def partial_output(self) -> Path:
        """The name of the output as long as it is not complete."""
        return self.output.with_name(f".{self.output.name}.partial")

    def groups(self, level: int) -> BlockGrid:
        """Return the groups of a level, whose voxels are the blocks: one of level 2 holds `group` of level 1."""
        z, y, x = (size**level for size in self.group)
        return BlockGrid(self.grid.counts, (z, y, x))

    def group_of(self, level: int, number: int) -> int:
        """Return the number of the group of a level that a block is in."""
        groups = self.groups(level)
        return groups.number([at // size for at, size in zip(self.grid.place(number), groups.block, strict=True)])

    @property
    def group_levels(self) -> int:
        """How often groups are merged into larger ones: until no more than `JOINED_AT_ONCE` are left."""
        level = 1
        while JOINED_AT_ONCE < len(self.groups(level)) > len(self.groups(level + 1)):
            level += 1
        return level

    @property
    def placement(self) -> Placement:
        """Size and offset of the voxels."""
        return Placement(self.source.voxel_size_nm, self.source.offset_nm)

    @property
    def levels(self) -> list[CoarserLevel]:
        """The levels of the output below the finest."""
        return coarser_levels(self.grid.shape, self.placement)

    def level_grid(self, level: int) -> BlockGrid:
        """Return the blocks of a level from 1 on: whole chunks, and about an eighth of a finest block's voxels."""
        shape = self.levels[level - 1].shape
        z, y, x = (
            min(extent, max(part, size // 2 // part * part))
            for extent, part, size in zip(shape, LABEL_CHUNK, self.grid.block, strict=True)
        )
        return BlockGrid(shape, (z, y, x))

    def description(self) -> dict[str, Any]:
        """Return all that must be the same for a run to go on, as plain values."""
        return {
            "sectome": self.version,
            "output": str(self.output),
            "files": "a shard a block",
            "input": self.source.description(),
            "segmentation": json.loads(json.dumps(asdict(self.options))),
            "block_voxels": list(self.grid.block),
            "blocks": list(self.grid.counts),
            "context_voxels": list(self.context),
            "group_blocks": list(self.group),
            "group_levels": self.group_levels,
        }


def make_plan(
    source: AffinitySource,
    output: str | Path,
    folder: str | Path,
    options: SegmentationOptions | None = None,
    *,
    block_voxels: Sequence[int] | None = None,
    context_voxels: Sequence[int] | None = None,
    group_blocks: Sequence[int] = GROUP,
    gpu_resource: bool = False,
) -> Plan:
    """Return the plan of a run.

    Args:
        source: affinities that hold those of `sectome.neighbourhoods.NEAREST`.
        output: the folder to write, which must end in .ome.zarr.
        folder: where the run keeps what it needs to go on.
        options: see `SegmentationOptions`; thresholds must be numbers, the method "mean"
            and the fragments "distance".
        block_voxels: (z, y, x) of a block: whole chunks of the output, and more than the context. Without, about 16
            million voxels, flat where sections are thick.
        context_voxels: (z, y, x) beyond a block's core in which its fragments are grown; without, 32 of the shortest
            edge of a voxel along each axis.
        group_blocks: blocks (z, y, x) that are merged together before all are.
        gpu_resource: whether blocks are predicted only by workers that have the Dask resource GPU.

    Raises:
        InputError: if the output's name, an option or a size can not be used.
    """
    output, options = local_path(output, "the output").absolute(), options or SegmentationOptions()
    if not output.name.endswith(".ome.zarr"):
        raise InputError(f"an output that ends in .ome.zarr was expected, got {output}")
    for name in ("boundary_threshold", "low", "high"):
        if isinstance(value := getattr(options, name), str):
            raise InputError(
                f"{name} must be a number where blocks are segmented by themselves, got the percentile {value}"
            )
    for name, only in (("method", "mean"), ("fragments", "distance")):
        if (value := getattr(options, name)) != only:
            raise InputError(f"{name} must be {only} where blocks are segmented by themselves, got {value}")
    if context_voxels is None:
        shortest = min(source.voxel_size_nm)
        context_voxels = [max(1, round(CONTEXT_IN_SHORTEST_EDGES * shortest / edge)) for edge in source.voxel_size_nm]
    if block_voxels is None:
        block_voxels = _FLAT if source.voxel_size_nm[0] > 2 * min(source.voxel_size_nm) else _CUBE
    block = check_whole_triple(block_voxels, "block_voxels")
    context = check_whole_triple(context_voxels, "context_voxels")
    for axis, size, part, halo, extent in zip("zyx", block, LABEL_CHUNK, context, source.shape, strict=True):
        if size % part and size < extent:
            raise InputError(
                f"block_voxels must be whole chunks of {LABEL_CHUNK} voxels, got {size} along {axis}, which is no "
                f"multiple of {part}"
            )
        if size < halo and size < extent:
            raise InputError(
                f"block_voxels must not be smaller than the context, got {size} and a context of {halo} along {axis}"
            )
    z, y, x = (min(size, extent) for size, extent in zip(block, source.shape, strict=True))
    group = check_whole_triple(group_blocks, "group_blocks")
    grid = BlockGrid(source.shape, (z, y, x))
    return Plan(RunFolder(Path(folder).absolute()), output, source, options, grid, context, group, gpu_resource)
