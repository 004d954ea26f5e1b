"""Volumes that were read once and stay in the memory of a device: a GPU then cuts its own crops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sectome.types import Shape3, VoxelSize
from sectome.volumes import Volume

_BYTES_AT_ONCE = 64 * 2**20


class ResidentVolume:
    """Some sections of a volume on a device, sliced as the volume is, in the volume's own type.

    Args:
        volume: where the voxels come from.
        sections: the first section that is kept, and the one after the last.
        device: where they are kept.

    Attributes:
        name: What the user called the volume.
        path: The file or folder.
        shape: Voxels of the whole volume along (z, y, x); only its `sections` can be read.
        dtype: Type of the voxels as numpy names it.
        voxel_size_nm: Edge lengths along (z, y, x) in nm, None if unknown.
    """

    def __init__(self, volume: Volume | ResidentVolume, sections: tuple[int, int], device: torch.device) -> None:
        self.name: str = volume.name
        self.path: Path = volume.path
        self.shape: Shape3 = volume.shape
        self.dtype: np.dtype[Any] = volume.dtype
        self.voxel_size_nm: VoxelSize | None = volume.voxel_size_nm
        self.sections = sections
        self.voxels = _load(volume, sections, device)

    def __getitem__(self, box: tuple[slice, slice, slice]) -> Tensor:
        """Return a crop, a new tensor (Z, Y, X) on the device."""
        z, y, x = box
        return self.voxels[z.start - self.sections[0] : z.stop - self.sections[0], y, x].clone()


def _load(volume: Volume | ResidentVolume, sections: tuple[int, int], device: torch.device) -> Tensor:
    first, last = sections
    _, height, width = volume.shape
    step = max(_BYTES_AT_ONCE // (height * width * volume.dtype.itemsize), 1)
    kind = torch.from_numpy(np.empty(0, volume.dtype)).dtype
    voxels = torch.empty(last - first, height, width, dtype=kind, device=device)
    with tqdm(total=last - first, desc=f"read {volume.path.name}", unit="section", delay=2) as progress:
        for z in range(first, last, step):
            slab = volume[z : min(z + step, last), 0:height, 0:width]
            voxels[z - first : z - first + step] = torch.as_tensor(slab)
            progress.update(len(slab))
    return voxels
