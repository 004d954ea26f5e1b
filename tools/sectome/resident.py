"""Volumes that are read once and kept in a device's memory, so that a GPU cuts its own crops."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from sectome.transforms.normaliser import check_finite
from sectome.types import Array, Box, Shape3
from sectome.volumes import Volume

CELL = 16
"""Edge in voxels of the cells in which voxels of value 0 are counted."""

_BYTES_AT_ONCE = 64 * 2**20


class ResidentVolume:
    """A box of a volume on a device, sliced like the volume, in the volume's own type.

    Args:
        volume: source of the voxels.
        box: the part to keep.
        device: device to keep it on.

    Raises:
        InputError: if voxels are NaN or infinite.

    Attributes:
        name: The volume's path as the user gave it.
        path: The file or folder.
        shape: Voxels of the whole volume along (z, y, x); only its `box` can be read.
        dtype: Type of the voxels as numpy names it.
    """

    def __init__(self, volume: Volume | ResidentVolume, box: Box, device: torch.device) -> None:
        self.name: str = volume.name
        self.path: Path = volume.path
        self.shape: Shape3 = volume.shape
        self.dtype: np.dtype[Any] = volume.dtype
        self.box = box
        self.voxels = _load(volume, box, device)

    def __getitem__(self, box: Box) -> Tensor:
        """Return a crop (Z, Y, X) on the device: a view of the volume, which must not be modified."""
        z, y, x = (
            slice(part.start - own.start, part.stop - own.start) for part, own in zip(box, self.box, strict=True)
        )
        return self.voxels[z, y, x]

    def most_zeros(self, box: Box) -> int:
        """Return an upper bound on the voxels of value 0 in a box, without a query that would wait for the device."""
        (z, z_end), (y, y_end), (x, x_end) = (
            ((part.start - own.start) // CELL, -(-(part.stop - own.start) // CELL))
            for part, own in zip(box, self.box, strict=True)
        )
        upper, lower = (
            zeros[y_end, x_end] - zeros[y, x_end] - zeros[y_end, x] + zeros[y, x]
            for zeros in (self._zeros[z_end], self._zeros[z])
        )
        return int(upper - lower)

    @cached_property
    def _zeros(self) -> Array:
        """Cumulative counts of voxels of value 0 before each corner of a lattice of cells along (z, y, x)."""
        _, height, width = self.voxels.shape
        rest = (0, -width % CELL, 0, -height % CELL)
        # Slab by slab, because counting all columns at once would take half of the volume's memory.
        slabs = (F.pad((slab == 0).sum(dim=0), rest) for slab in self.voxels.split(CELL))
        counts = torch.stack([slab.unfold(0, CELL, CELL).unfold(1, CELL, CELL).sum(dim=(2, 3)) for slab in slabs])
        return np.pad(counts.cpu().numpy().cumsum(0).cumsum(1).cumsum(2), ((1, 0), (1, 0), (1, 0)))


def _load(volume: Volume | ResidentVolume, box: Box, device: torch.device) -> Tensor:
    (first, last), *plane = ((part.start, part.stop) for part in box)
    height, width = (stop - start for start, stop in plane)
    step = max(_BYTES_AT_ONCE // (height * width * volume.dtype.itemsize), 1)
    kind = torch.from_numpy(np.empty(0, volume.dtype)).dtype
    voxels = torch.empty(last - first, height, width, dtype=kind, device=device)
    with tqdm(total=last - first, desc=f"read {volume.path.name}", unit="section", delay=2) as progress:
        for z in range(first, last, step):
            slab = volume[z : min(z + step, last), box[1], box[2]]
            check_finite(slab, z, (box[1].start, box[2].start))
            voxels[z - first : z - first + step] = torch.as_tensor(slab)
            progress.update(len(slab))
    return voxels
