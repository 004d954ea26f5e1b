"""Places of validation crops on a grid that covers the volumes, if need be only where labels are known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from sectome.checks import InputError
from sectome.tissue import Tissue
from sectome.transforms.label_volume import UNLABELLED

LOOKS = 64
"""Maximum number of grid places to inspect per wanted crop."""

Start = tuple[int, int, int]
"""First voxel of a crop along (z, y, x), counted from the first voxel of its tissue."""


class Grid:
    """Numbered places of crops that cover volumes, side by side except for the last one along each axis.

    A terabyte has millions of places: each is computed only when it is asked for.

    Args:
        tissue: the volumes, in the order of their numbers.
        crop_size: voxels of a crop (z, y, x).
    """

    def __init__(self, tissue: Sequence[Tissue], crop_size: Sequence[int]) -> None:
        self.tissue = tissue
        self.axes = [
            [starts(extent, size) for extent, size in zip(one.shape, crop_size, strict=True)] for one in tissue
        ]
        self.ends = list(itertools.accumulate(math.prod(map(len, axes)) for axes in self.axes))

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, number: int) -> tuple[Tissue, Start]:
        """Return a place: its tissue and the first voxel of the crop there."""
        which = int(np.searchsorted(self.ends, number, side="right"))
        axes = self.axes[which]
        lengths = [len(axis) for axis in axes]
        index = np.unravel_index(number - (self.ends[which] - math.prod(lengths)), lengths)
        z, y, x = (axis[place] for axis, place in zip(axes, index, strict=True))
        return self.tissue[which], (z, y, x)


def starts(extent: int, size: int) -> list[int]:
    """Return the first voxels of crops side by side along one axis; the last crop ends at the border."""
    return sorted({*range(0, extent - size + 1, size), max(extent - size, 0)})


def even_places(grid: Grid, limit: int) -> list[tuple[Tissue, Start]]:
    """Return at most `limit` places, spread evenly over a grid; all if the limit is 0."""
    return [grid[number] for number in _spread(len(grid), limit or len(grid))]


def labelled_places(grid: Grid, crop_size: Sequence[int], limit: int) -> list[tuple[Tissue, Start]]:
    """Return at most `limit` places of a grid where a label is known, spread evenly; all if the limit is 0.

    Labels are read at as many places as are wanted and, while too few of these have a known label, at more places in
    between: all of a small grid, up to `LOOKS` per wanted crop of a large one. The result is the same in each process
    and run.

    Args:
        grid: the places; their tissue has labels.
        crop_size: voxels of a crop (z, y, x).
        limit: number of places wanted.

    Raises:
        InputError: if no inspected place has a known label.
    """
    wanted = limit or len(grid)
    known: dict[int, bool] = {}
    for numbers in _finer_and_finer(len(grid), wanted):
        new = [number for number in numbers if number not in known]
        for number in tqdm(new, desc="look for labels to validate on", unit="crop", delay=2):
            known[number] = _is_labelled(*grid[number], crop_size)
        if sum(known.values()) >= wanted:
            break
    found = [number for number in sorted(known) if known[number]]
    if not found:
        raise InputError(
            f"expected labels to validate on in {', '.join(one.name for one in grid.tissue)}, got none in {len(known)} "
            f"of {len(grid)} crops side by side; name other val_data, or the labelled sections, rows and columns"
        )
    return [grid[found[place]] for place in _spread(len(found), wanted)]


def _finer_and_finer(count: int, wanted: int) -> Iterator[list[int]]:
    """Yield evenly spaced numbers below `count`, then about twice as many, and so on, up to all or `LOOKS` per crop."""
    number = wanted
    while number < count:
        yield _spread(count, number)
        number = max(2 * number - 1, 2)
        if number > LOOKS * wanted:
            return
    yield list(range(count))


def _spread(count: int, limit: int) -> list[int]:
    """Return at most `limit` of the numbers below `count`, evenly spaced from the first to the last."""
    if limit >= count:
        return list(range(count))
    return [int(number) for number in np.linspace(0, count - 1, limit).round()]


def _is_labelled(tissue: Tissue, start: Start, crop_size: Sequence[int]) -> bool:
    z, y, x = (slice(first, first + size) for first, size in zip(start, crop_size, strict=True))
    return bool((tissue.read_labels((z, y, x)) != UNLABELLED).any())
