"""Affinities or other maps that a run predicts itself, block by block, before segmenting them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sectome.affinity_file import create_affinities, said_of_channels
from sectome.fingerprint import identify_input, identify_model
from sectome.run_folder import RunFolder
from sectome.types import RANGES, Array, Box, Offset, Shape3, VoxelSize
from sectome.volumes import absolute_path, open_volume, open_with_default_size
from sectome.volumes.blocks import CHUNK
from sectome.volumes.shards import write_box
from sectome.volumes.tensorstore_process import open_zarr


@dataclass(frozen=True)
class PredictedMaps:
    """Settings of a prediction, as plain values: each process opens volume and network itself.

    Attributes:
        path: the zarr array (K, Z, Y, X) that the blocks are written to.
        volume: path of the grey values.
        bundle: root folder of the bundle.
        checkpoint: file of the weights; None for the bundle's own.
        voxel_size_nm: voxel size (z, y, x) of the volume.
        box: (start, stop) of the predicted part of the volume along (z, y, x).
        shape: voxels (Z, Y, X) of the box.
        channels: K offsets (z, y, x) of affinities, or K names of other maps.
        offset_nm: position of the box's first voxel along (z, y, x).
        window: window size (z, y, x) in voxels.
        overlap: fraction of a window that the next one covers too.
        blending: weighting of a window's voxels.
        batch_size: windows per call of the network, at most.
        orientations: orientations of a window to average over.
        precision: "bf16", "fp32" or "auto".
        compile: whether each process compiles the network with torch.
        device: device of the network; None for a GPU if the worker has one.
        mask: volume of the whole volume's shape, 0 where no prediction is wanted.
    """

    path: Path
    volume: str
    bundle: Path
    checkpoint: Path
    voxel_size_nm: VoxelSize
    box: tuple[tuple[int, int], ...]
    shape: Shape3
    channels: tuple[Offset, ...] | tuple[str, ...]
    offset_nm: tuple[float, float, float]
    window: Shape3
    overlap: float = 0.25
    blending: str = "gaussian"
    batch_size: int = 4
    orientations: str = "one"
    precision: str = "auto"
    compile: bool = False
    device: str | None = None
    mask: str | None = None

    @property
    def offsets(self) -> tuple[Offset, ...]:
        """K offsets (z, y, x) of affinities; empty for other maps."""
        return tuple(step for step in self.channels if not isinstance(step, str))

    def read(self, box: Sequence[slice], channels: Sequence[int] | None = None) -> Array:
        """Return a box (K, z, y, x) of the stored prediction."""
        wanted = slice(None) if channels is None else list(channels)
        return np.ascontiguousarray(open_zarr(self.path)[(wanted, *box)].read().result())

    def prepare(self, block: Shape3) -> None:
        """Create the array that blocks (z, y, x) are written to, one shard per block, unless it exists."""
        chunk = (1, *CHUNK)
        create_affinities(self.path, self.shape, self.channels, self.voxel_size_nm, self.offset_nm, chunk, block)

    def predict(self, box: Box) -> None:
        """Predict a box and store it."""
        from sectome.inference.predict_volume import grid_over, predict_box

        tissue, model = _opened(self, RunFolder(self.path.parent).identity())
        grid = grid_over(self.shape, model.window, self.overlap, self.blending)
        maps = predict_box(
            tissue,
            model.predict,
            grid,
            box,
            len(self.channels),
            batch_size=self.batch_size,
            device=model.device,
            mask=None if self.mask is None else open_volume(self.mask),
        )
        write_box(open_zarr(self.path, write=True), (slice(None), *box), maps)

    def description(self) -> dict[str, Any]:
        """Return plain values that must be unchanged for a run to resume."""
        image = open_with_default_size(self.volume, self.voxel_size_nm)
        mask = None if self.mask is None else open_volume(self.mask)
        return {
            **identify_input(image, self.voxel_size_nm, self.box, mask),
            "bundle": str(self.bundle),
            "model": identify_model(self.checkpoint),
            **said_of_channels(self.channels),
            "window": list(self.window),
            "overlap": self.overlap,
            "blending": self.blending,
            "orientations": self.orientations,
            "precision": self.precision,
        }


def predicted_maps(
    folder: str | Path,
    volume: str,
    bundle: str | Path = "bundles/em_segmentation",
    checkpoint: str | None = None,
    *,
    voxel_size_nm: Sequence[float] | None = None,
    sections: Sequence[int] | None = None,
    rows: Sequence[int] | None = None,
    columns: Sequence[int] | None = None,
    mask: str | None = None,
    window: Sequence[int] | None = None,
    orientations: str = "one",
    **options: Any,
) -> PredictedMaps:
    """Open volume and model once as a check, and return the settings for all processes.

    Args:
        folder: folder of the run; the prediction is stored there as "affinities.zarr" or "maps.zarr".
        volume: path of the grey values; see `PredictedMaps`, as for the others.
        bundle: root folder of the bundle.
        checkpoint: file of the weights; None for the bundle's own.
        voxel_size_nm: (z, y, x) in nm, for a volume whose file gives none.
        sections: (start, stop) of the predicted part along z; by default all.
        rows: the same along y.
        columns: the same along x.
        mask: volume of the whole volume's shape, 0 where no prediction is wanted.
        window: (z, y, x) in voxels of a window; by default that of the bundle.
        orientations: orientations of a window to average over.
        options: `overlap`, `blending`, `batch_size`, `precision`, `compile`, `device`.

    Raises:
        InputError: if the volume or the model cannot be opened, a range lies outside the volume, or the window or the
            orientations do not suit the model or the voxels.
    """
    from sectome.inference import open_model
    from sectome.inference.predict_volume import offset_of, warn_of_equalised
    from sectome.inference.region_mask import check_mask
    from sectome.tissue import open_tissue

    model = open_model(bundle, checkpoint, window=window, device="cpu", orientations=orientations)
    entry = {"image": volume, "sections": sections, "rows": rows, "columns": columns}
    tissue = open_tissue([entry], voxel_size_nm, intensity=model.intensity)[0]
    model.check_voxels(tissue.voxel_size_nm, volume)
    tissue.warn_of_decoding(model.window[0])
    warn_of_equalised(tissue, "blocks; use thin ones of whole sections (block_voxels) to avoid that")
    if mask is not None:
        check_mask(open_volume(mask), tissue)
    return PredictedMaps(
        path=Path(folder).absolute() / ("maps.zarr" if isinstance(model.channels[0], str) else "affinities.zarr"),
        volume=absolute_path(volume),
        bundle=Path(bundle).absolute(),
        checkpoint=model.checkpoint.absolute(),
        voxel_size_nm=tissue.voxel_size_nm,
        box=tuple((part.start, part.stop) for part in tissue.box),
        shape=tissue.shape,
        channels=model.channels,
        offset_nm=offset_of(tissue),
        window=model.window,
        mask=None if mask is None else absolute_path(mask),
        orientations=orientations,
        **options,
    )


@lru_cache(maxsize=1)
def _opened(source: PredictedMaps, run: str) -> tuple[Any, Any]:
    """Return this process's tissue and model; each process fits the normalisation to the whole volume.

    Args:
        source: settings of the prediction.
        run: identity of the run. Part of the cache key, because a worker may get another run with files of the same
            names.
    """
    from sectome.inference import open_model
    from sectome.tissue import open_tissue

    model = open_model(
        source.bundle,
        source.checkpoint,
        window=source.window,
        device=source.device,
        precision=source.precision,
        orientations=source.orientations,
        compile=source.compile,
    )
    entry = {"image": source.volume, **dict(zip(RANGES, source.box, strict=True))}
    tissue = open_tissue([entry], source.voxel_size_nm, intensity=model.intensity)[0]
    return tissue, model
