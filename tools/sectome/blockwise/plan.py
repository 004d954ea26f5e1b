"""What all blockwise runs have in common: input, blocks, and output paths."""

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
    """Affinities or other maps that each process can read; pickled when sent to a worker."""

    @property
    def shape(self) -> Shape3: ...  # noqa: D102
    @property
    def voxel_size_nm(self) -> VoxelSize: ...  # noqa: D102
    @property
    def offset_nm(self) -> tuple[float, float, float]: ...  # noqa: D102
    def read(self, box: Sequence[slice], channels: Sequence[int] | None = None) -> Array:
        """Return a box (K, z, y, x) of all channels, or of the given ones."""

    def description(self) -> dict[str, Any]:
        """Return plain values that identify this input."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a run, as sent to every worker.

    Attributes:
        folder: folder of the run's state.
        output: the OME-Zarr folder, which appears at the end.
        source: the maps to segment.
        options: options of the segmentation.
        grid: the blocks.
        context: voxels (z, y, x) around a block's core that it reads.
        gpu_resource: whether only workers with the Dask resource GPU predict blocks.
        version: version of sectome.
    """

    BYTES_A_VOXEL: ClassVar[float]
    """Peak memory of a block in bytes per voxel of core and context."""

    BLOCKS: ClassVar[str]
    """Name of the zarr array of the labels found in each block."""

    DISK_BYTES_A_VOXEL: ClassVar[float]
    """Disk space of a run in bytes per voxel, besides its input and its prediction."""

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
        """The zarr array (Z, Y, X) of the labels found in each block, numbered from 1 in each block."""
        return self.folder.path / self.BLOCKS

    @property
    def scratch(self) -> list[Path]:
        """Paths that a finished run no longer needs."""
        return [self.blocks_path]

    @property
    def partial_output(self) -> Path:
        """The output's path until it is complete."""
        return self.output.with_name(f".{self.output.name}.partial")

    @property
    def placement(self) -> Placement:
        """Voxel size and offset."""
        return Placement(self.source.voxel_size_nm, self.source.offset_nm)

    @property
    def levels(self) -> list[CoarserLevel]:
        """The levels of the output's pyramid below the finest."""
        return coarser_levels(self.grid.shape, self.placement)

    def level_grid(self, level: int) -> BlockGrid:
        """Return the blocks of a level; above level 0, whole chunks and about an eighth of a finest block's voxels."""
        if level == 0:
            return self.grid
        shape = self.levels[level - 1].shape
        z, y, x = (
            min(extent, max(part, size // 2 // part * part))
            for extent, part, size in zip(shape, LABEL_CHUNK, self.grid.block, strict=True)
        )
        return BlockGrid(shape, (z, y, x))

    def description(self) -> dict[str, Any]:
        """Return plain values that must be unchanged for a run to resume."""
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
    """Return the absolute path of a run's output.

    Raises:
        InputError: if it is not a local path that ends in .ome.zarr.
    """
    path = local_path(output, "the output").absolute()
    if not path.name.endswith(".ome.zarr"):
        raise InputError(f"the output must end in .ome.zarr, got {path}")
    return path


def blocks_of(source: MapSource, block_voxels: Sequence[int] | None, context: Shape3 = (0, 0, 0)) -> BlockGrid:
    """Return the grid of blocks of a run.

    Args:
        source: the maps to segment.
        block_voxels: block size (z, y, x) in voxels; by default about 16 million voxels, flat if sections are thick.
        context: see `Plan`.

    Raises:
        InputError: if a block is not made of whole chunks of the output, or is smaller than the context.
    """
    if block_voxels is None:
        block_voxels = _FLAT if source.voxel_size_nm[0] > 2 * min(source.voxel_size_nm) else _CUBE
    block = check_whole_triple(block_voxels, "block_voxels")
    for axis, size, part, halo, extent in zip("zyx", block, LABEL_CHUNK, context, source.shape, strict=True):
        if size % part and size < extent:
            raise InputError(
                f"block_voxels must be whole chunks of {LABEL_CHUNK} voxels, got {size} along {axis}, which is not a "
                f"multiple of {part}"
            )
        if size < halo and size < extent:
            raise InputError(
                f"block_voxels must not be smaller than the context, got {size} and a context of {halo} along {axis}"
            )
    z, y, x = (min(size, extent) for size, extent in zip(block, source.shape, strict=True))
    return BlockGrid(source.shape, (z, y, x))
