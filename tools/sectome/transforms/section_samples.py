"""Samples of grey values for a volume's statistics, few enough for a volume of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from sectome.transforms.normaliser import Sections, check_finite
from sectome.types import Array

Found = TypeVar("Found")

SECTIONS = 16
"""Maximum number of evenly spread sections that statistics of a whole volume are computed from."""

WHOLE_VOXELS = 4096 * 4096
"""Sections of up to this many voxels are read whole; of larger ones, only blocks are."""

BLOCKS, BLOCK_VOXELS = 8, 256
"""Number of blocks along y and along x, and their edge. They start at multiples of the edge, like chunks."""

KEPT_BYTES = 256 * 2**20
"""Maximum size of the cache of sections that are read again."""


def sample_section(volume: Sections, number: int) -> Array:
    """Return grey values (y, x) of a section: all of them, or those of evenly spread blocks.

    A block lies in the middle of each of `BLOCKS` equal parts of an axis, so that a dark rim counts by its area. An
    axis that is no longer than its blocks together is taken whole.

    Raises:
        InputError: if grey values that are read are NaN or infinite.
    """
    _, height, width = volume.shape
    if height * width <= WHOLE_VOXELS:
        section = np.asarray(volume[number])
        check_finite(section[None], number)
        return section
    # To read one block of a compressed image would take as long as to read all of it.
    decoded = np.asarray(volume[number]) if getattr(volume, "decodes_sections", False) else None
    rows = []
    for y in _blocks(height):
        row = []
        for x in _blocks(width):
            block = np.asarray(volume[number, y, x]) if decoded is None else decoded[y, x]
            check_finite(block[None], number, (y.start, x.start))
            row.append(block)
        rows.append(row)
    return np.block(rows)


def of_varied_sections(look: Callable[[Array], Found], read: Callable[[int], Array], depth: int) -> list[Found]:
    """Return the results of `look` for at most `SECTIONS` sections, without constant (missing) ones.

    If all sections are constant, the results for all are returned. Only one section at a time is held here.

    Args:
        look: function of a section's grey values (y, x).
        read: returns the grey values of a section, given its number.
        depth: number of sections in the volume.
    """
    chosen = np.unique(np.linspace(0, depth - 1, SECTIONS).round().astype(int))
    found, varied = [], []
    for number in tqdm(chosen.tolist(), desc="fit grey values", unit="section", delay=2):
        section = read(number)
        found.append(look(section))
        varied.append(section.min() != section.max())
    return [one for one, counts in zip(found, varied, strict=True) if counts] or found


def kept_samples(volume: Sections) -> Callable[[int], Array]:
    """Return `sample_section` of a volume with a cache of up to `KEPT_BYTES`, so that sections are not read twice."""
    kept: dict[int, Array] = {}

    def read(number: int) -> Array:
        if number in kept:
            return kept[number]
        section = sample_section(volume, number)
        if sum(other.nbytes for other in kept.values()) + section.nbytes <= KEPT_BYTES:
            kept[number] = section
        return section

    return read


def _blocks(extent: int) -> list[slice]:
    """Return the parts of an axis to read."""
    if extent <= BLOCKS * BLOCK_VOXELS:
        return [slice(0, extent)]
    middles = (np.arange(BLOCKS) + 0.5) * extent / BLOCKS
    starts = (middles - BLOCK_VOXELS / 2) // BLOCK_VOXELS * BLOCK_VOXELS
    return [slice(int(start), int(start) + BLOCK_VOXELS) for start in starts]
