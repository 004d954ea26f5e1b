"""A blockwise run from foreground and contour to mitochondria."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sectome.blockwise.plan import MapSource, Plan, blocks_of, check_output_name
from sectome.postprocess import BoundaryContourOptions
from sectome.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class MitochondriaPlan(Plan):
    """A run from maps of foreground and contour, with or without distance, to mitochondria.

    Attributes:
        source: the maps.
        options: how they become objects.
    """

    BLOCKS: ClassVar[str] = "objects.zarr"
    # Maps, what is made of them, labels; and a sixth of the voxels on lists.
    BYTES_A_VOXEL: ClassVar[float] = 25
    # Labels shrink to a tenth and less; of every twentieth voxel a list is kept, and what became of it.
    DISK_BYTES_A_VOXEL: ClassVar[float] = 2 * 0.2 + 12 / 20

    options: BoundaryContourOptions

    @property
    def bodies_path(self) -> Path:
        """The folder of what objects that lie in several blocks have in each."""
        return self.folder.path / "bodies"

    @property
    def scratch(self) -> list[Path]:
        """What a finished run has no need of."""
        return [*super().scratch, self.bodies_path]


def plan_mitochondria(
    source: MapSource,
    output: str | Path,
    folder: str | Path,
    options: BoundaryContourOptions | None = None,
    *,
    block_voxels: Sequence[int] | None = None,
    gpu_resource: bool = False,
) -> MitochondriaPlan:
    """Return the plan of a run from maps to mitochondria.

    Args:
        source: foreground and contour, with or without distance.
        output: the folder to write, which must end in .ome.zarr.
        folder: where the run keeps what it needs to go on.
        options: see `BoundaryContourOptions`.
        block_voxels: (z, y, x) of a block: whole chunks of the output. Without, about 16 million voxels, flat where
            sections are thick.
        gpu_resource: whether blocks are predicted only by workers that have the Dask resource GPU.

    Raises:
        InputError: if the output's name or a size can not be used.
    """
    return MitochondriaPlan(
        folder=RunFolder(Path(folder).absolute()),
        output=check_output_name(output),
        source=source,
        options=options or BoundaryContourOptions(),
        grid=blocks_of(source, block_voxels),
        gpu_resource=gpu_resource,
    )
