"""What every blockwise run has: its input, its blocks, and where it writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import sectome
from sectome.blockwise.block_grid import BlockGrid
from sectome.checks import InputError, check_whole_triple
from sectome.geometry import Placement
from sectome.json_object import as_json
from sectome.postprocess.segmentation_options import Options
from sectome.run_folder import RunFolder
from sectome.types import Array, Shape3, VoxelSize
from sectome.volumes.blocks import CHUNK as LABEL_CHUNK
from sectome.volumes.downsample import CoarserLevel, coarser_levels
from sectome.volumes.store_address import local_path

VERSION = sectome.__version__

_CUBE, _FLAT = (256, 256, 256), (64, 512, 512)


class MapSource(Protocol):
    """Affinities or other maps that each process can read; it is pickled on its way to a worker."""

    @property
    def shape(self) -> Shape3: ...  # noqa: D102
    @property
    def voxel_size_nm(self) -> VoxelSize: ...  # noqa: D102
    @property
    def offset_nm(self) -> tuple[float, float, float]: ...  # noqa: D102
    def read(self, box: Sequence[slice], channels: Sequence[int] | None = None) -> Array:
        """Return a box (K, z, y, x) of all channels or of some."""

    def description(self) -> dict[str, Any]:
        """Return what tells this input from another, as plain values."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run, as every worker gets it.

    Attributes:
        folder: of the run.
        output: the OME-Zarr folder that appears at the end.
        source: what is segmented.
        options: how it becomes objects.
        grid: the blocks.
        context: voxels (z, y, x) beyond a block's core that it looks at.
        gpu_resource: whether blocks are predicted only by workers that have the Dask resource GPU.
        version: of sectome.
    """

    BYTES_A_VOXEL: ClassVar[float]
    """What a block takes at its peak, a voxel of the core with its context."""

    BLOCKS: ClassVar[str]
    """The name of the zarr array of what is found in each block."""

    DISK_BYTES_A_VOXEL: ClassVar[float]
    """What a run takes on the disk beside its input and what it predicts."""

    folder: RunFolder
    output: Path
    source: MapSource
    options: Options
    grid: BlockGrid
    context: Shape3 = (0, 0, 0)
    gpu_resource: bool = False
    version: str = field(default_factory=lambda: VERSION)

    @property
    def blocks_path(self) -> Path:
        """The zarr array (Z, Y, X) of what is found in each block, numbered from 1 in each."""
        return self.folder.path / self.BLOCKS

    @property
    def scratch(self) -> list[Path]:
        """What a finished run has no need of."""
        return [self.blocks_path]

    @property
    def partial_output(self) -> Path:
        """The name of the output as long as it is not complete."""
        return self.output.with_name(f".{self.output.name}.partial")

    @property
    def placement(self) -> Placement:
        """Size and offset of the voxels."""
        return Placement(self.source.voxel_size_nm, self.source.offset_nm)

    @property
    def levels(self) -> list[CoarserLevel]:
        """The levels of the output below the finest."""
        return coarser_levels(self.grid.shape, self.placement)

    def level_grid(self, level: int) -> BlockGrid:
        """Return the blocks of a level; from 1 on whole chunks, and about an eighth of a finest block's voxels."""
        if level == 0:
            return self.grid
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
            "segmentation": as_json(asdict(self.options)),
            "block_voxels": list(self.grid.block),
            "blocks": list(self.grid.counts),
        }


def check_output_name(output: str | Path) -> Path:
    """Return where a run writes its labels.

    Raises:
        InputError: if that is no OME-Zarr on this machine.
    """
    path = local_path(output, "the output").absolute()
    if not path.name.endswith(".ome.zarr"):
        raise InputError(f"an output that ends in .ome.zarr was expected, got {path}")
    return path


def blocks_of(source: MapSource, block_voxels: Sequence[int] | None, context: Shape3 = (0, 0, 0)) -> BlockGrid:
    """Return the blocks of a run.

    Args:
        source: what is segmented.
        block_voxels: (z, y, x) of a block; without, about 16 million voxels, flat where sections are thick.
        context: see `Plan`.

    Raises:
        InputError: if a block is not made of whole chunks of the output, or smaller than the context.
    """
    if block_voxels is None:
        block_voxels = _FLAT if source.voxel_size_nm[0] > 2 * min(source.voxel_size_nm) else _CUBE
    block = check_whole_triple(block_voxels, "block_voxels")
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
    return BlockGrid(source.shape, (z, y, x))
