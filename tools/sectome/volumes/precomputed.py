"""Neuroglancer precomputed volumes: read from a folder or a server, written to a folder."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np

from sectome.checks import InputError
from sectome.geometry import Placement, as_voxel_size
from sectome.replace import replacing
from sectome.types import Array, Shape3, VoxelSize
from sectome.unfinished import Unfinished
from sectome.volumes.blocks import CHUNK, Source, write_blocks
from sectome.volumes.downsample import Downsampled, next_factors
from sectome.volumes.levels import Level
from sectome.volumes.precomputed_info import INFO, Scale, read_info
from sectome.volumes.reader import Reader
from sectome.volumes.sampling import holds_labels, looks_like_labels
from sectome.volumes.store_folder import Place, kvstore_of, reading_options
from sectome.volumes.tensorstore_process import LazyStore, open_store

_TYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "float32")
_SEGMENTATION_TYPES = ("uint32", "uint64")
_FOREIGN_SUFFIXES = (".gz", ".br", ".zstd")


class PrecomputedReader(Reader):
    """One scale of a volume, stored as (X, Y, Z, channel) and read as (Z, Y, X); by default the first.

    Args:
        place: The folder that holds `info`.
        dataset: Key of the scale.
    """

    def __init__(self, place: Place, dataset: str | None = None) -> None:
        info = read_info(place)
        scale = _choose(info.scales, dataset, place)
        if isinstance(place, Path):
            _refuse_foreign_chunks(place / scale.key)
        self.shape = scale.shape
        self.dtype = info.dtype
        self.placement = scale.placement
        self._first = scale.voxel_offset
        spec = {"driver": "neuroglancer_precomputed", "kvstore": kvstore_of(place), "scale_index": scale.index}
        self._store = LazyStore(spec | reading_options(place))

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X), reading the chunks that it touches; chunks that are not stored are 0."""
        z, y, x = (
            slice(part.start + first, part.stop + first, part.step)
            for part, first in zip((z, y, x), self._first, strict=True)
        )
        voxels: Array = self._store()[x, y, z, 0].read().result()
        return voxels.T

    def keep_chunks_of(self, box: Shape3) -> None:
        """See `Volume.keep_chunks_of`."""
        self._store.keep_chunks_of((*box[::-1], 1))


def is_precomputed(folder: Place) -> bool:
    """Return whether the folder is a precomputed volume."""
    return folder.name.lower().endswith(".precomputed") or (folder / INFO).is_file()


def find_scales(place: Place, dataset: str | None) -> tuple[Level, ...]:
    """Return the scales of a volume in the file's order; empty if the path already names one."""
    if dataset is not None:
        return ()
    return tuple(Level(scale.key, scale.shape, scale.placement.voxel_size_nm) for scale in read_info(place).scales)


def write_precomputed(
    path: Path, dataset: str | None, source: Source, placement: Placement, progress: Unfinished
) -> None:
    """Write a volume and its coarser scales, uint32 and uint64 as compressed segmentation.

    Other integers that look like labels are also declared a segmentation, so that viewers show objects.

    Scales are made like the levels of an OME-Zarr: by the mean of each block for an image, by the majority for labels.
    The offset of each scale is a whole number of its own voxels. To keep scales aligned, blocks are counted from the
    origin, so the first block may be incomplete, like the last one. The offset is rounded to a whole voxel, with a
    warning if that changes it.

    Raises:
        InputError: If the format cannot hold the type, or there is no voxel size.
    """
    if source.dtype.name not in _TYPES:
        raise InputError(f"expected a type that precomputed can hold ({', '.join(_TYPES)}), got {source.dtype.name}")
    size = placement.voxel_size_nm
    if size is None:
        raise InputError("expected a voxel size, which a precomputed volume must have, got none: give voxel_size_nm")
    first = _whole_voxels(path, placement, size)
    with replacing(path, unfinished=progress.output) as partial:
        kind = "segmentation" if source.dtype.name in _SEGMENTATION_TYPES else "image"
        if (partial / INFO).is_file():
            kind = json.loads((partial / INFO).read_text(encoding="utf-8"))["type"]
        _write_scale(partial, source, size, first, progress, source.dtype.itemsize, kind)
        finer = PrecomputedReader(partial)
        label_like = kind == "segmentation" or looks_like_labels(finer)
        is_labels = holds_labels(finer.dtype, label_like)
        if kind == "image" and label_like:
            kind = "segmentation"
            info = json.loads((partial / INFO).read_text(encoding="utf-8"))
            (partial / INFO).write_text(json.dumps({**info, "type": kind}), encoding="utf-8")
        number = 0
        while factors := next_factors(finer.shape, size):
            number += 1
            (z, lacks_z), (y, lacks_y), (x, lacks_x) = map(divmod, first, factors)
            coarser = Downsampled(finer, factors, is_labels, (lacks_z, lacks_y, lacks_x))
            first = (z, y, x)
            size = as_voxel_size([length * factor for length, factor in zip(size, factors, strict=True)]) or size
            _write_scale(partial, coarser, size, first, progress, coarser.voxel_bytes, kind)
            finer = PrecomputedReader(partial, read_info(partial).scales[number].key)


def _write_scale(
    folder: Path,
    source: Source,
    size: VoxelSize,
    first: Shape3,
    progress: Unfinished,
    voxel_bytes: int,
    kind: str,
) -> None:
    """Write one scale block by block and add it to `info`.

    Args:
        folder: Folder of the volume.
        source: The voxels, read block by block.
        size: Voxel size along (z, y, x) in nm.
        first: Offset along (z, y, x) in voxels of this scale.
        progress: Which blocks are written.
        voxel_bytes: Memory per voxel while a block is computed.
        kind: "image" or "segmentation".
    """
    shape = tuple(source.shape)
    scale = {
        "size": shape[::-1],
        "voxel_offset": first[::-1],
        "resolution": size[::-1],
        "chunk_size": CHUNK[::-1],
        "encoding": "raw",
    }
    if source.dtype.name in _SEGMENTATION_TYPES:
        scale |= {"encoding": "compressed_segmentation", "compressed_segmentation_block_size": [8, 8, 8]}
    volume = {"type": kind, "data_type": source.dtype.name, "num_channels": 1}
    spec = {"driver": "neuroglancer_precomputed", "kvstore": kvstore_of(folder)}
    spec |= {"multiscale_metadata": volume, "scale_metadata": scale}
    # Indices relative to the first voxel, so that blocks are made of whole chunks.
    store = open_store(spec, create=True, open=progress.output is not None, write=True)[..., 0].translate_to[0, 0, 0]
    write_blocks(store.T, source, progress, voxel_bytes)


def _choose(scales: tuple[Scale, ...], key: str | None, place: Place) -> Scale:
    for scale in scales:
        if key in (None, scale.key):
            return scale
    raise InputError(f"expected a scale of {place}, one of {', '.join(s.key for s in scales)}, got {key!r}")


def _refuse_foreign_chunks(folder: Path) -> None:
    """Raise an `InputError` for chunk files that are compressed as a whole, which would be read as absent."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as files:
        name = next((file.name for file in files), "")
    if name.endswith(_FOREIGN_SUFFIXES):
        raise InputError(f"expected chunks in files that are not compressed as a whole, got {name} in {folder}")


def _whole_voxels(path: Path, placement: Placement, size: tuple[float, float, float]) -> Shape3:
    exact = [position / length for position, length in zip(placement.offset_nm, size, strict=True)]
    z, y, x = (round(position) for position in exact)
    if not np.allclose(exact, (z, y, x), rtol=0, atol=1e-3):
        kept = tuple(step * length for step, length in zip((z, y, x), size, strict=True))
        warnings.warn(
            f"{path.name} holds offsets of whole voxels: {placement.offset_nm} nm becomes {kept} nm",
            UserWarning,
            stacklevel=4,
        )
    return z, y, x


def check_output(path: Path, dataset: str | None) -> None:
    """Raise an `InputError` if the path is anything but one volume, which is replaced, or an empty folder."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir() or not (path / INFO).is_file():
        raise InputError(
            f"expected a precomputed volume or nothing at {path}, got something else, which stays as it is"
        )
    known = {INFO, *(scale.key for scale in read_info(path).scales)}
    if foreign := sorted(item.name for item in path.iterdir() if item.name not in known):
        raise InputError(f"expected a folder that holds only one volume at {path}, got one with {foreign[0]}")
