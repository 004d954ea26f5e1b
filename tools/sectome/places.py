"""Places of random crops where labels or organelles are sparse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from tqdm import tqdm

from sectome.checks import InputError
from sectome.tissue import Tissue

Places = Literal["volume", "labelled", "foreground"]
PLACES: tuple[Places, ...] = get_args(Places)

_SECTIONS_OF_A_CELL = 4


class LabelDensity:
    """Counts of labelled or foreground voxels in each cell of a lattice, to draw crops near such voxels.

    A cell is drawn in proportion to its count, then any voxel of the cell, then a crop with this voxel anywhere in it:
    the crop need not hold a voxel of the kind. Voxels are counted once, in up to four sections of a cell.

    Args:
        tissue: a volume with labels.
        crop_size: voxels of a crop (z, y, x), and of a cell.
        kind: "labelled" counts voxels that are not `UNLABELLED`, "foreground" voxels of objects.

    Raises:
        InputError: if the tissue has no labels, or none of this kind.
    """

    def __init__(self, tissue: Tissue, crop_size: Sequence[int], kind: Places) -> None:
        if tissue.label is None:
            raise InputError(f"expected labels for places {kind!r}, got none with {tissue.name}")
        self.shape = tissue.shape
        self.crop_size = tuple(crop_size)
        self.cell = tuple(min(size, extent) for size, extent in zip(crop_size, tissue.shape, strict=True))
        counts = np.stack([self._count(tissue, z, kind) for z in self._starts_of_slabs(tissue.name)])
        if not counts.any():
            raise InputError(
                f"expected {kind} voxels in {tissue.name}, in the {_SECTIONS_OF_A_CELL} of each {self.cell[0]} "
                "sections that are searched, got none; set places to 'volume'"
            )
        self.counts = counts
        self.cumulative = counts.ravel().cumsum()

    def draw_start(self, random: np.random.Generator) -> list[int]:
        """Draw the first voxel (z, y, x) of a crop."""
        drawn = random.integers(self.cumulative[-1])
        index = np.unravel_index(np.searchsorted(self.cumulative, drawn, side="right"), self.counts.shape)
        start = []
        for place, cell, size, extent in zip(index, self.cell, self.crop_size, self.shape, strict=True):
            voxel = random.integers(place * cell, min((place + 1) * cell, extent))
            room = extent - size
            start.append(int(np.clip(voxel - random.integers(size), min(room, 0), max(room, 0))))
        return start

    def _starts_of_slabs(self, name: str) -> tqdm[int]:
        starts = range(0, self.shape[0], self.cell[0])
        return tqdm(starts, desc=f"count labels of {name}", unit="slab", delay=2)

    def _count(self, tissue: Tissue, z: int, kind: Places) -> np.ndarray:
        """Count the voxels of the kind in each cell (y, x) of the slab that starts at z."""
        _, height, width = self.shape
        depth = min(self.cell[0], self.shape[0] - z)
        counts = []
        sections = np.unique(np.linspace(z, z + depth - 1, _SECTIONS_OF_A_CELL).round().astype(int))
        for section in sections:
            box = (slice(int(section), int(section) + 1), slice(0, height), slice(0, width))
            labels = tissue.read_labels(box)[0].cpu().numpy()
            wanted = labels > 0 if kind == "foreground" else labels >= 0
            rows = np.add.reduceat(wanted, range(0, height, self.cell[1]), axis=0, dtype=np.int64)
            counts.append(np.add.reduceat(rows, range(0, width, self.cell[2]), axis=1))
        # A larger share of a thinner last slab is read: its counts are scaled to the share of the other slabs.
        share, share_of_others = len(sections) / depth, min(_SECTIONS_OF_A_CELL, self.cell[0]) / self.cell[0]
        return np.ceil(np.stack(counts).sum(axis=0) * (share_of_others / share)).astype(np.int64)
