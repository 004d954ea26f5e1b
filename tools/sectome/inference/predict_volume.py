"""From a volume on disk to affinities on disk: read, predicted, blended and written slab by slab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sectome.affinity_file import DTYPES, new_affinities
from sectome.checks import InputError, check_at_least, check_choice, check_same_shape, check_whole_number
from sectome.inference.blended_slabs import Predict, ReadBox, Slab, Tile, blended_slabs
from sectome.inference.window_grid import WindowGrid, window_grid
from sectome.neighbourhoods import check_offsets
from sectome.steady_memory import give_back_memory
from sectome.tissue import Tissue
from sectome.types import Array, Box, Offsets
from sectome.volumes import Volume

CHUNK_IN_PLANE = 128
IN_FLIGHT = 1
"""Writes that may be under way while the network goes on."""


def predict_volume(
    tissue: Tissue,
    predict: Predict,
    path: str | Path,
    offsets: Offsets,
    *,
    window: Sequence[int],
    overlap: float = 0.5,
    blending: str = "gaussian",
    batch_size: int = 1,
    device: torch.device | str = "cpu",
    dtype: str = "uint8",
    memory_mib: float = 2048,
    mask: Volume | None = None,
) -> None:
    """Predict affinities of a volume of any size and write them as a zarr array (K, Z, Y, X), each chunk once.

    Memory holds one window's depth of a section's width, or of a part of it where that would be more than
    `memory_mib`; it does not grow with the number of sections.

    Args:
        tissue: what is predicted: the sections, rows and columns that its entry allows.
        predict: maps windows (B, 1, z, y, x) to logits (B, K, z, y, x) without gradients.
        path: a .zarr folder, which appears when it is complete.
        offsets: K steps (z, y, x), one a channel.
        window: voxels (z, y, x). A volume that is thinner is extended by its mirror image.
        overlap: share of a window that the next one covers again.
        blending: weights of a window's voxels; see `window_grid`.
        batch_size: windows that the network takes at once.
        device: of the network, and where its values are blended.
        dtype: "uint8", where 255 is 1, "float16" or "float32".
        memory_mib: what the values of a slab may take, blended and as they are stored; the network's own needs and
            the image come on top.
        mask: of the whole volume's shape, 0 where nothing is wanted: windows without any other value are not
            predicted, and affinities there are 0.

    Raises:
        InputError: if a number is out of its range, the mask has another shape, the tissue is resident on a
            device, or the output can not be written.
    """
    steps = check_offsets(offsets)
    check_whole_number(batch_size, 1, "batch_size")
    check_at_least(memory_mib, 1, "memory_mib")
    shape = tissue.shape
    grid = grid_over(shape, window, overlap, blending)
    tiles = plan_tiles(grid, len(steps), check_choice(dtype, DTYPES, "dtype"), memory_mib)
    stride = layer_depth(grid)
    chunk = (1, stride, CHUNK_IN_PLANE, CHUNK_IN_PLANE)
    if mask is not None:
        check_same_shape(tissue.image.shape, mask.shape, f"mask {mask.name}")
    read = box_reader(tissue)
    for volume in (tissue.image, mask):
        if isinstance(volume, Volume):
            volume.keep_chunks_of((grid.window[0], *shape[1:]))
    give_back_memory()
    offset_nm = offset_of(tissue)
    with (
        new_affinities(
            path, (len(steps), *shape), steps, tissue.voxel_size_nm, chunk=chunk, dtype=dtype, offset_nm=offset_nm
        ) as store,
        tqdm(total=len(tiles) * shape[0], desc="predict", unit="section", delay=2, disable=None) as bar,
    ):
        writes: list[Any] = []
        for number, tile in enumerate(tiles):
            masked = None if mask is None else RegionMask(mask, tissue, tile)
            slabs = blended_slabs(
                read,
                predict,
                grid,
                tile=tile,
                batch_size=batch_size,
                device=device,
                wanted=None if masked is None else masked.any_in,
            )
            for start, values in chunk_layers(slabs, stride, dtype):
                part = values[:, : shape[0] - start, : shape[1] - tile.y.start, : shape[2] - tile.x.start]
                if masked is not None:
                    part *= masked.box(start, part.shape[1], part.shape[2:])
                _, z, y, x = part.shape
                place = (slice(None), slice(start, start + z), *_at((tile.y.start, tile.x.start), (y, x)))
                # No copy: the layer stays as it is until it is written.
                writes.append(store[place].write(part, can_reference_source_data_indefinitely=True))
                while len(writes) > IN_FLIGHT:
                    writes.pop(0).result()
                give_back_memory()
                # Sections without a window that is wanted are left out, and are done nevertheless.
                bar.update(number * shape[0] + start + z - bar.n)
            bar.update((number + 1) * shape[0] - bar.n)
        for write in writes:
            write.result()


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
    """Return the affinities (K, z, y, x) of a box of a volume, as they are when all of it is predicted.

    Args:
        tissue: what is predicted.
        predict: maps windows (B, 1, z, y, x) to logits (B, K, z, y, x) without gradients.
        grid: the windows over all of the volume, see `grid_over`.
        box: what is asked for, (z, y, x).
        channels: K.
        batch_size: windows that the network takes at once.
        device: of the network, and where its values are blended.
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
        _store(logits, part)
        if masked is not None:
            part *= masked.box(start, part.shape[1], part.shape[2:])
    return affinities


def grid_over(shape: Sequence[int], window: Sequence[int], overlap: float, blending: str) -> WindowGrid:
    """Return the windows over a volume, which goes on as its mirror image where it is thinner than one."""
    return window_grid([max(pair) for pair in zip(shape, window, strict=True)], window, overlap, blending)


def box_reader(tissue: Tissue) -> ReadBox:
    """Return what reads the image of boxes of a tissue.

    Raises:
        InputError: if the tissue is resident on a device.
    """
    if not isinstance(tissue.image, Volume):
        raise InputError(f"tissue that is read from its file was expected, got {tissue.name}, which is resident")

    def read(box: Box) -> Tensor:
        crop = tissue.read([part.start for part in box], [part.stop - part.start for part in box])
        assert crop is not None
        return crop["image"][0]

    return read


def offset_of(tissue: Tissue) -> list[float]:
    """Return where the first voxel that a tissue allows lies along (z, y, x) in nm."""
    assert isinstance(tissue.image, Volume)
    start = [part.start for part in tissue.box]
    at: list[float] = np.add(tissue.image.offset_nm, np.multiply(start, tissue.voxel_size_nm)).tolist()
    return at


def layer_depth(grid: WindowGrid) -> int:
    """Return how many sections are stored together: as many as one window adds to those before."""
    return grid.starts[0][1] if len(grid.starts[0]) > 1 else grid.window[0]


def plan_tiles(grid: WindowGrid, channels: int, dtype: str, memory_mib: float) -> list[Tile]:
    """Return parts of a section, whole chunks each, whose values take at most so much memory.

    These are the accumulator of `blended_slabs`, float32 of one window's depth in all windows that reach into the part,
    and the layers of `chunk_layers`.

    Args:
        grid: the windows.
        channels: of the values.
        dtype: that they are stored in.
        memory_mib: what they may take.

    Raises:
        InputError: if not even one chunk with the windows around it fits.
    """
    height, width = grid.shape[1:]

    def mib(size: Sequence[int]) -> float:
        rows, columns = (
            min(length + 2 * window, extent)
            for length, window, extent in zip(size, grid.window[1:], grid.shape[1:], strict=True)
        )
        blended = 4 * grid.window[0] * rows * columns
        layers = (IN_FLIGHT + 1) * np.dtype(dtype).itemsize * layer_depth(grid) * size[0] * size[1]
        return channels * (blended + layers) / 2**20

    size = [height, width]
    while (needed := mib(size)) > memory_mib:
        axis = 0 if size[0] >= size[1] else 1
        if size[axis] <= CHUNK_IN_PLANE:
            raise InputError(
                f"memory_mib must be at least {needed:.0f} for windows of {grid.window}, got {memory_mib:g}"
            )
        half = size[axis] // 2
        size[axis] = max(CHUNK_IN_PLANE, half - half % CHUNK_IN_PLANE)
    return [
        Tile(slice(y, min(y + size[0], height)), slice(x, min(x + size[1], width)))
        for y in range(0, height, size[0])
        for x in range(0, width, size[1])
    ]


def chunk_layers(slabs: Iterator[Slab], depth: int, dtype: str) -> Iterator[tuple[int, Array]]:
    """Yield layers (first section, affinities (K, z, Y, X)) of whole chunks of logits, as they are stored.

    Each starts at a multiple of `depth`, and each but the last is so deep. Layers take turns in the same memory, so
    that it does not grow with what is asked for and freed: one holds until `IN_FLIGHT` more have been asked for. It may
    be changed.
    """
    memory: list[Array] = []
    number = end = 0
    for start, logits in slabs:
        if not memory:
            channels, _, *plane = logits.shape
            memory = [np.zeros((channels, depth, *plane), dtype) for _ in range(IN_FLIGHT + 1)]
        for first in range(start - start % depth, start + logits.shape[1], depth):
            begin, end = max(first, start), min(first + depth, start + logits.shape[1])
            layer = memory[number % len(memory)]
            _store(logits[:, begin - start : end - start], layer[:, begin - first : end - first])
            if end == first + depth:
                yield first, layer
                number += 1
    if end % depth:
        yield end - end % depth, memory[number % len(memory)][:, : end % depth]


class RegionMask:
    """Where a mask (Z, Y, X) wants values, read by sections of a part of it.

    Args:
        mask: of the shape of the tissue's volume.
        tissue: what is predicted: its first voxel counts as 0.
        region: the part (y, x) that is asked for; windows may reach beyond it.

    Raises:
        InputError: if the mask has another shape than the tissue's volume.
    """

    def __init__(self, mask: Volume, tissue: Tissue, region: Tile) -> None:
        check_same_shape(tissue.image.shape, mask.shape, f"mask {mask.name}")
        self.mask = mask
        self.tissue = tissue
        self.region = region
        self.kept: tuple[tuple[int, int], Array] | None = None

    def sections(self, start: int, stop: int) -> Array:
        """Return the region of some sections as booleans, those read last without reading them again."""
        if self.kept is None or self.kept[0] != (start, stop):
            box = self.tissue.in_volume((slice(start, stop), *self.region))
            self.kept = ((start, stop), self.mask[box] != 0)
        return self.kept[1]

    def any_in(self, box: Box) -> bool:
        """Tell whether anything is wanted where a box reaches into the region."""
        z, *plane = box
        y, x = (
            slice(max(0, part.start - own.start), max(0, part.stop - own.start))
            for part, own in zip(plane, self.region, strict=True)
        )
        return bool(self.sections(z.start, z.stop)[:, y, x].any())

    def box(self, start: int, depth: int, size: Sequence[int]) -> Array:
        """Return the mask (z, y, x) of sections, as many rows and columns of the region as are written."""
        y, x = _at((self.region.y.start, self.region.x.start), size)
        values: Array = self.mask[self.tissue.in_volume((slice(start, start + depth), y, x))] != 0
        return values


def _store(logits: Tensor, affinities: Array) -> None:
    """Put the affinities of logits, which are changed, into an array of their shape, as its type keeps them."""
    values = logits.sigmoid_()
    if affinities.dtype == np.uint8:
        values = values.mul_(255).round_()
    torch.from_numpy(affinities).copy_(values)


def _at(starts: Sequence[int], sizes: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
