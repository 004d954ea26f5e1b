"""From a volume on disk to affinities on disk: read, predicted, blended and written slab by slab."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sectome.affinity_file import DTYPES, checked_output, new_affinities, said_of_channels
from sectome.checks import InputError, check_at_least, check_choice, check_whole_number
from sectome.fingerprint import identify_input
from sectome.geometry import PointNm
from sectome.inference.blended_slabs import Predict, ReadBox, Tile, blended_slabs
from sectome.inference.chunk_layers import Writes, chunk_layers, layer_depth, store_affinities
from sectome.inference.plan_tiles import CHUNK_IN_PLANE, plan_tiles
from sectome.inference.region_mask import RegionMask, check_mask
from sectome.inference.window_grid import WindowGrid, window_grid
from sectome.steady_memory import give_back_memory
from sectome.tissue import Tissue
from sectome.transforms import FittedPercentiles
from sectome.types import Array, Box, Channels
from sectome.unfinished import Unfinished, unfinished
from sectome.volumes import Volume


def predict_volume(
    tissue: Tissue,
    predict: Predict,
    path: str | Path,
    channels: Channels,
    *,
    window: Sequence[int],
    overlap: float = 0.25,
    blending: str = "gaussian",
    batch_size: int = 1,
    device: torch.device | str = "cpu",
    dtype: str = "uint8",
    memory_mib: float = 2048,
    mask: Volume | None = None,
    identity: Mapping[str, Any] | None = None,
) -> None:
    """Predict affinities or other maps of a volume of any size and write them as a zarr array (K, Z, Y, X).

    Memory holds one window's depth of whole sections, or of tiles if whole sections would exceed `memory_mib`. It does
    not grow with the number of sections.

    With an `identity`, unfinished output is kept in the folder PATH.run. A prediction that was stopped at any moment
    resumes when called again, with the same result.

    Args:
        tissue: the tissue to predict, limited to the sections, rows and columns of its entry.
        predict: maps windows (B, 1, z, y, x) to logits (B, K, z, y, x) without gradients.
        path: the .zarr folder to write, which appears once it is complete.
        channels: K offsets (z, y, x) of affinities, or K names of other maps.
        window: window size in voxels (z, y, x). A thinner volume is extended by reflection.
        overlap: fraction of a window that the next one covers too.
        blending: weighting of a window's voxels; see `window_grid`.
        batch_size: windows per call of the network, at most.
        device: device of the network, on which its values are blended too.
        dtype: "uint8" (255 means 1), "float16" or "float32".
        memory_mib: memory limit in MiB for the values of a slab, as blended and as stored; the network and the image
            come on top.
        mask: volume of the whole volume's shape. Where it is 0, the output is 0, and windows that lie there entirely
            are not predicted.
        identity: plain values that identify `predict` and the normalisation of grey values.

    Raises:
        InputError: if a number is out of range, the mask has another shape, the tissue is resident on a device, the
            output cannot be written, or an unfinished output was begun with other settings.
    """
    path = checked_output(path)
    check_whole_number(batch_size, 1, "batch_size")
    check_at_least(memory_mib, 1, "memory_mib")
    shape = tissue.shape
    grid = grid_over(shape, window, overlap, blending)
    planned = plan_tiles(grid, len(channels), check_choice(dtype, DTYPES, "dtype"), memory_mib)
    # If the volume is thinner than a window, a tile may lie entirely in its reflection.
    tiles = [tile for tile in planned if tile.y.start < shape[1] and tile.x.start < shape[2]]
    stride = layer_depth(grid)
    chunk = (1, stride, CHUNK_IN_PLANE, CHUNK_IN_PLANE)
    # One layer of a tile is written at a time, and the first tile is the largest.
    box = (len(channels), stride, tiles[0].y.stop, tiles[0].x.stop)
    read, image = box_reader(tissue), file_of(tissue)
    if mask is not None:
        check_mask(mask, tissue)
    kept: AbstractContextManager[Unfinished] = nullcontext(Unfinished())
    if identity is not None:
        plan = {
            **identity,
            **said_of_channels(channels),
            **identify_input(image, tissue.voxel_size_nm, [(part.start, part.stop) for part in tissue.box], mask),
            "window": list(grid.window),
            "overlap": overlap,
            "blending": blending,
            "dtype": dtype,
            "memory_mib": memory_mib,
        }
        kept = unfinished(path, plan)
    for volume in (tissue.image, mask):
        if isinstance(volume, Volume):
            volume.keep_chunks_of((grid.window[0], *shape[1:]))
    tissue.warn_of_decoding(grid.window[0])
    if len(tiles) > 1:
        warn_of_equalised(tissue, "tiles; a larger memory_mib makes fewer")
    give_back_memory()
    with (
        kept as there,
        new_affinities(
            path,
            (len(channels), *shape),
            channels,
            tissue.voxel_size_nm,
            box=box,
            chunk=chunk,
            dtype=dtype,
            offset_nm=offset_of(tissue),
            unfinished=there.output,
        ) as store,
        tqdm(
            total=len(tiles) * shape[0],
            initial=there.done[0] * shape[0] + there.done[1],
            desc="predict",
            unit="section",
            delay=2,
            disable=None,
        ) as bar,
        Writes(there.record) as writes,
    ):
        tile_begun, written = there.done
        if tile_begun or written:
            tile_of = f" of tile {tile_begun + 1} of {len(tiles)}" if len(tiles) > 1 else ""
            print(f"continuing at section {written} of {shape[0]}{tile_of}", flush=True)
        for number, tile in enumerate(tiles):
            first = written if number == tile_begun else 0
            if number < tile_begun or first >= shape[0]:
                continue
            masked = None if mask is None else RegionMask(mask, tissue, tile)
            slabs = blended_slabs(
                read,
                predict,
                grid,
                tile=tile,
                sections=slice(first, grid.shape[0]),
                batch_size=batch_size,
                device=device,
                wanted=None if masked is None else masked.any_in,
            )
            for start, values in chunk_layers(slabs, stride, dtype):
                part = values[:, : shape[0] - start, : shape[1] - tile.y.start, : shape[2] - tile.x.start]
                if masked is not None:
                    part *= masked.box(start, part.shape[1:])
                stop = start + part.shape[1]
                rows, columns = (
                    slice(own.start, own.start + length) for own, length in zip(tile, part.shape[2:], strict=True)
                )
                place = (slice(None), slice(start, stop), rows, columns)
                # No copy: the layer's buffer is reused only after the write.
                writes.add(store[place].write(part, can_reference_source_data_indefinitely=True), (number, stop))
                give_back_memory()
                # Count skipped sections, those without a wanted window, as done.
                bar.update(number * shape[0] + stop - bar.n)
            bar.update((number + 1) * shape[0] - bar.n)


def predict_box(
    tissue: Tissue,
    predict: Predict,
    grid: WindowGrid,
    box: Box,
    channels: int,
    *,
    batch_size: int = 1,
    device: torch.device | str = "cpu",
    dtype: str = "uint8",
    mask: Volume | None = None,
) -> Array:
    """Return the affinities (K, z, y, x) of a box of a volume, equal to those of predicting the whole volume.

    Args:
        tissue: the tissue to predict.
        predict: maps windows (B, 1, z, y, x) to logits (B, K, z, y, x) without gradients.
        grid: the windows over the whole volume, see `grid_over`.
        box: the wanted box (z, y, x).
        channels: number of channels K.
        batch_size: windows per call of the network, at most.
        device: device of the network, on which its values are blended too.
        dtype: see `predict_volume`.
        mask: see `predict_volume`.
    """
    masked = None if mask is None else RegionMask(mask, tissue, Tile(*box[1:]))
    affinities = np.zeros((channels, *(part.stop - part.start for part in box)), dtype)
    slabs = blended_slabs(
        box_reader(tissue),
        predict,
        grid,
        tile=Tile(*box[1:]),
        sections=box[0],
        batch_size=batch_size,
        device=device,
        wanted=None if masked is None else masked.any_in,
    )
    for start, logits in slabs:
        part = affinities[:, start - box[0].start : start - box[0].start + logits.shape[1]]
        store_affinities(logits, part)
        if masked is not None:
            part *= masked.box(start, part.shape[1:])
    return affinities


def grid_over(shape: Sequence[int], window: Sequence[int], overlap: float, blending: str) -> WindowGrid:
    """Return the windows over a volume, extended by reflection where it is thinner than a window."""
    return window_grid([max(pair) for pair in zip(shape, window, strict=True)], window, overlap, blending)


def box_reader(tissue: Tissue) -> ReadBox:
    """Return a function that reads the image of a box of a tissue.

    Raises:
        InputError: if the tissue is resident on a device.
    """
    file_of(tissue)

    def read(box: Box) -> Tensor:
        crop = tissue.read([part.start for part in box], [part.stop - part.start for part in box])
        assert crop is not None
        return crop["image"][0]

    return read


def warn_of_equalised(tissue: Tissue, parts: str) -> None:
    """Warn if contrast is equalised (CLAHE) per part of a section, which changes the network's predictions.

    Args:
        tissue: the tissue to predict.
        parts: what the parts are and how to avoid them.
    """
    if isinstance(tissue.intensity, FittedPercentiles) and tissue.intensity.clahe:
        warnings.warn(
            f"{tissue.name} has its contrast equalised (clahe) in each part of a section by itself: predictions depend "
            f"on where the parts lie, which are {parts}",
            UserWarning,
            stacklevel=3,
        )


def file_of(tissue: Tissue) -> Volume:
    """Return the image of a tissue.

    Raises:
        InputError: if the tissue is resident on a device.
    """
    if not isinstance(tissue.image, Volume):
        raise InputError(f"expected tissue that is read from its file, got {tissue.name}, which is resident")
    return tissue.image


def offset_of(tissue: Tissue) -> PointNm:
    """Return the position of a tissue's first allowed voxel along (z, y, x) in nm."""
    start = [part.start for part in tissue.box]
    z, y, x = np.add(file_of(tissue).offset_nm, np.multiply(start, tissue.voxel_size_nm)).tolist()
    return z, y, x
