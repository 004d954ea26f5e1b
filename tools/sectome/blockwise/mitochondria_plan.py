"""The plan of a blockwise run from foreground and contour to mitochondria."""

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
        options: options of the segmentation.
    """

    BLOCKS: ClassVar[str] = "objects.zarr"
    # Maps, derived arrays and labels, and lists of a sixth of the voxels.
    BYTES_A_VOXEL: ClassVar[float] = 25
    # Labels compress to a tenth or less; lists of every twentieth voxel and their labels are stored too.
    DISK_BYTES_A_VOXEL: ClassVar[float] = 2 * 0.2 + 12 / 20

    options: BoundaryContourOptions

    @property
    def bodies_path(self) -> Path:
        """The folder of the voxels that each body has in each block."""
        return self.folder.path / "bodies"

    @property
    def scratch(self) -> list[Path]:
        """Paths that a finished run no longer needs."""
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
        output: folder to write, whose name must end in .ome.zarr.
        folder: folder with the state that the run needs to resume.
        options: see `BoundaryContourOptions`.
        block_voxels: block size (z, y, x): whole chunks of the output. By default about 16 million voxels, flat if
            sections are thick.
        gpu_resource: whether only workers with the Dask resource GPU predict blocks.

    Raises:
        InputError: if the output's name or a size is invalid.
    """
    return MitochondriaPlan(
        folder=RunFolder(Path(folder).absolute()),
        output=check_output_name(output),
        source=source,
        options=options or BoundaryContourOptions(),
        grid=blocks_of(source, block_voxels),
        gpu_resource=gpu_resource,
    )
