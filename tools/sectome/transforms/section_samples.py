"""Which grey values of a volume its statistics are taken from: few enough for a volume of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from sectome.transforms.normaliser import Sections, check_finite
from sectome.types import Array

Found = TypeVar("Found")

SECTIONS = 16
"""How many sections, spread evenly, statistics of a whole volume are taken from."""

WHOLE_VOXELS = 4096 * 4096
"""Sections of up to so many voxels are read whole, of wider ones blocks."""

BLOCKS, BLOCK_VOXELS = 8, 256
"""How many blocks along y and along x, and their edge. They start at multiples of it, where chunks do."""

KEPT_BYTES = 256 * 2**20
"""How much of what was read once may stay in memory to be looked at again."""


def sample_section(volume: Sections, number: int) -> Array:
    """Return grey values (y, x) of a section: all of them, or those of blocks that are spread evenly.

    Blocks lie in the middle of as many equal parts of an axis, so that a dark rim counts as much as it covers. An axis
    that is no longer than its blocks is taken whole.

    Raises:
        InputError: if what is read is NaN or infinite.
    """
    _, height, width = volume.shape
    if height * width <= WHOLE_VOXELS:
        section = np.asarray(volume[number])
        check_finite(section[None], number)
        return section
    # Of a compressed image each block would cost as much as all of it.
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
    """Return what is found in at most `SECTIONS` sections, without those of one value (missing ones).

    If all are of one value, what is found in them is returned. One section at a time is held here.

    Args:
        look: what is done with the grey values (y, x) of a section.
        read: returns these of a section by its number.
        depth: of the volume, in sections.
    """
    chosen = np.unique(np.linspace(0, depth - 1, SECTIONS).round().astype(int))
    found, varied = [], []
    for number in tqdm(chosen.tolist(), desc="fit grey values", unit="section", delay=2):
        section = read(number)
        found.append(look(section))
        varied.append(section.min() != section.max())
    return [one for one, counts in zip(found, varied, strict=True) if counts] or found


def kept_samples(volume: Sections) -> Callable[[int], Array]:
    """Return `sample_section` of a volume for what is asked for again: up to `KEPT_BYTES` are not read twice."""
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
    """Return the parts of an axis that are read."""
    if extent <= BLOCKS * BLOCK_VOXELS:
        return [slice(0, extent)]
    middles = (np.arange(BLOCKS) + 0.5) * extent / BLOCKS
    starts = (middles - BLOCK_VOXELS / 2) // BLOCK_VOXELS * BLOCK_VOXELS
    return [slice(int(start), int(start) + BLOCK_VOXELS) for start in starts]
