"""Affinities or other maps that a run predicts itself, block by block, before it segments them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sectome.affinity_file import create_affinities, said_of_channels
from sectome.fingerprint import identify, identify_model
from sectome.run_folder import RunFolder
from sectome.types import RANGES, Array, Box, Offset, Shape3, VoxelSize
from sectome.volumes import open_volume, open_with_default_size
from sectome.volumes.blocks import CHUNK
from sectome.volumes.precomputed_info import PREFIX
from sectome.volumes.shards import write_box
from sectome.volumes.tensorstore_process import open_zarr


@dataclass(frozen=True)
class PredictedMaps:
    """What is predicted and by what, as plain values: each process opens volume and network for itself.

    Attributes:
        path: the zarr array (K, Z, Y, X) that the blocks are written to.
        volume: of grey values.
        bundle: the root of the bundle.
        checkpoint: the model's weights; None is the bundle's own.
        voxel_size_nm: (z, y, x) of the volume.
        box: (start, stop) of what is predicted of the volume along (z, y, x).
        shape: voxels (Z, Y, X) of the box.
        channels: K steps (z, y, x) of affinities, or K names of other maps.
        offset_nm: where the box's first voxel lies along (z, y, x).
        window: voxels (z, y, x) that the network takes.
        overlap: share of a window that the next one covers again.
        blending: weights of a window's voxels.
        batch_size: windows that the network takes at once.
        orientations: of a window, whose mean is taken.
        precision: "bf16", "fp32" or "auto".
        compile: whether each process has torch write the network's kernels.
        device: of the network; None is a GPU if the worker has one.
        mask: a volume of the whole volume's shape, 0 where nothing is wanted.
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
    overlap: float = 0.5
    blending: str = "gaussian"
    batch_size: int = 4
    orientations: str = "one"
    precision: str = "auto"
    compile: bool = False
    device: str | None = None
    mask: str | None = None

    @property
    def offsets(self) -> tuple[Offset, ...]:
        """K steps (z, y, x) of affinities."""
        return tuple(step for step in self.channels if not isinstance(step, str))

    def read(self, box: Sequence[slice], channels: Sequence[int] | None = None) -> Array:
        """Return a box (K, z, y, x) of what has been predicted."""
        wanted = slice(None) if channels is None else list(channels)
        return np.ascontiguousarray(open_zarr(self.path)[(wanted, *box)].read().result())

    def prepare(self, block: Shape3) -> None:
        """Make the array that blocks (z, y, x) are written to, each a shard, or leave it as it is."""
        chunk = (1, *CHUNK)
        create_affinities(self.path, self.shape, self.channels, self.voxel_size_nm, self.offset_nm, chunk, block)

    def predict(self, box: Box) -> None:
        """Predict a box and write it."""
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
        """Return what must stay as it is while a run goes on."""
        image = open_with_default_size(self.volume, self.voxel_size_nm)
        return {
            "volume": identify(self.volume, image, self.voxel_size_nm),
            **{name: list(part) for name, part in zip(RANGES, self.box, strict=True)},
            "bundle": str(self.bundle),
            "model": identify_model(self.checkpoint),
            **said_of_channels(self.channels),
            "overlap": self.overlap,
            "blending": self.blending,
            "orientations": self.orientations,
            "precision": self.precision,
            "mask": None if self.mask is None else identify(self.mask, open_volume(self.mask), self.voxel_size_nm),
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
    orientations: str = "one",
    **options: Any,
) -> PredictedMaps:
    """Open volume and model once, and return what tells all processes what to predict.

    Args:
        folder: of the run, where what is predicted is kept, "affinities.zarr" or "maps.zarr".
        volume: of grey values; see `PredictedMaps`, as for the others.
        bundle: the root of the bundle.
        checkpoint: the model's weights; None is the bundle's own.
        voxel_size_nm: (z, y, x) in nm, for a volume that does not say it.
        sections: (start, stop) of what is predicted along z; all without.
        rows: the same along y.
        columns: the same along x.
        mask: a volume of the whole volume's shape, 0 where nothing is wanted.
        orientations: of a window, whose mean is taken.
        options: `overlap`, `blending`, `batch_size`, `precision`, `compile`, `device`.

    Raises:
        InputError: if the volume or the model can not be opened, a range lies outside, or the orientations do not suit
            the model or the voxels.
    """
    from sectome.inference import open_model
    from sectome.inference.predict_volume import offset_of, warn_of_equalised
    from sectome.inference.region_mask import check_mask
    from sectome.tissue import open_tissue

    model = open_model(bundle, checkpoint, device="cpu", orientations=orientations)
    entry = {"image": volume, "sections": sections, "rows": rows, "columns": columns}
    tissue = open_tissue([entry], voxel_size_nm, intensity=model.intensity)[0]
    model.check_voxels(tissue.voxel_size_nm, volume)
    tissue.warn_of_decoding(model.window[0])
    warn_of_equalised(tissue, "blocks; thin ones of whole sections (block_voxels) avoid that")
    if mask is not None:
        check_mask(open_volume(mask), tissue)
    return PredictedMaps(
        path=Path(folder).absolute() / ("maps.zarr" if isinstance(model.channels[0], str) else "affinities.zarr"),
        volume=_absolute(volume),
        bundle=Path(bundle).absolute(),
        checkpoint=model.checkpoint.absolute(),
        voxel_size_nm=tissue.voxel_size_nm,
        box=tuple((part.start, part.stop) for part in tissue.box),
        shape=tissue.shape,
        channels=model.channels,
        offset_nm=offset_of(tissue),
        window=model.window,
        mask=None if mask is None else _absolute(mask),
        orientations=orientations,
        **options,
    )


def _absolute(path: str) -> str:
    """Return the path of a volume as it is from any folder; that of a server stays."""
    prefix = PREFIX if path.startswith(PREFIX) else ""
    place = path.removeprefix(prefix)
    is_here = "://" not in place and Path(place.split(":")[0]).exists()
    return f"{prefix}{Path(place).absolute()}" if is_here else path


@lru_cache(maxsize=1)
def _opened(source: PredictedMaps, run: str) -> tuple[Any, Any]:
    """Return the tissue and the model in this process; normalisation is fitted to the whole volume each time.

    Args:
        source: what is predicted and by what.
        run: its identity. A worker that stays may be given another run of files of the same names.
    """
    from sectome.inference import open_model
    from sectome.tissue import open_tissue

    model = open_model(
        source.bundle,
        source.checkpoint,
        device=source.device,
        precision=source.precision,
        orientations=source.orientations,
        compile=source.compile,
    )
    entry = {"image": source.volume, **dict(zip(RANGES, source.box, strict=True))}
    tissue = open_tissue([entry], source.voxel_size_nm, intensity=model.intensity)[0]
    return tissue, model
