"""Iterating over a volume in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, Protocol

import numpy as np

from sectome.types import Array, Box, Shape3
from sectome.unfinished import Unfinished
from sectome.volumes.tensorstore_process import finish

CHUNK: Shape3 = (32, 64, 64)
"""Chunk size along (z, y, x) in voxels: small enough for crops, large enough for one file each."""

_SECTIONS_AT_ONCE = 64
_BYTES_AT_ONCE = 128 * 2**20
_DECODED_BYTES_AT_ONCE = 2**30


class Source(Protocol):
    """Anything that can be written: an array (Z, Y, X) or a lazily read volume."""

    @property
    def shape(self) -> Any: ...  # noqa: D102
    @property
    def dtype(self) -> Any: ...  # noqa: D102
    def __getitem__(self, key: Any) -> Any: ...


def iterate_blocks(source: Source, chunk: Shape3, voxel_bytes: int | None = None) -> Iterator[Box]:
    """Yield boxes that cover a volume once, each made of whole chunks and of at most about 128 MiB.

    A box spans as many sections as it can, because a chunked source decodes a chunk again for every box that touches
    it. A source of compressed sections decodes whole sections for every box along y and x; if chunks then span several
    sections, a box may take 1 GiB.

    Args:
        source: The volume.
        chunk: Chunk size along (z, y, x) in voxels; an axis that it spans is not split.
        voxel_bytes: Memory per voxel while its box is processed; by default the size of the type.
    """
    shape, itemsize = source.shape, voxel_bytes or source.dtype.itemsize
    decodes_sections = chunk[0] > 1 and getattr(source, "decodes_sections", False)
    most = _DECODED_BYTES_AT_ONCE if decodes_sections else _BYTES_AT_ONCE
    chunk_z, chunk_y, chunk_x = (min(part, extent) for part, extent in zip(chunk, shape, strict=True))
    size_z, size_y, size_x = min(shape[0], max(_SECTIONS_AT_ONCE // chunk_z, 1) * chunk_z), shape[1], shape[2]

    def fitting(length: int, part: int, others: int) -> int:
        affordable = most // (others * itemsize)
        return length if affordable >= length else max(affordable // part, 1) * part

    size_z = fitting(size_z, chunk_z, size_y * size_x)
    size_y = fitting(size_y, chunk_y, size_z * size_x)
    size_x = fitting(size_x, chunk_x, size_z * size_y)
    starts = (range(0, extent, size) for extent, size in zip(shape, (size_z, size_y, size_x), strict=True))
    for z, y, x in product(*starts):
        yield (
            slice(z, min(z + size_z, shape[0])),
            slice(y, min(y + size_y, shape[1])),
            slice(x, min(x + size_x, shape[2])),
        )


def write_blocks(store: Any, source: Source, progress: Unfinished, voxel_bytes: int | None = None) -> None:
    """Write a volume into a tensorstore (Z, Y, X) with chunks of `CHUNK` voxels, each chunk once.

    Args:
        store: The tensorstore.
        source: The volume, read block by block.
        progress: Which blocks are written.
        voxel_bytes: See `iterate_blocks`.
    """
    for box in progress.remaining(iterate_blocks(source, CHUNK, voxel_bytes)):
        voxels = np.ascontiguousarray(source[box])
        # Boxes of decoded sections are large, and data being written take as much memory again.
        for part in iterate_blocks(voxels, CHUNK):
            place = tuple(slice(of.start + at.start, of.start + at.stop) for of, at in zip(box, part, strict=True))
            finish(store[place].write(voxels[part], can_reference_source_data_indefinitely=True))


def iterate_sections(source: Source) -> Iterator[Array]:
    """Yield the sections (Y, X) in order, reading several at a time."""
    for box in iterate_blocks(source, (1, *source.shape[1:])):
        yield from np.ascontiguousarray(source[box])
