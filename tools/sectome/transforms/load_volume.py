"""Reader of whole volumes for a MONAI pipeline, with their voxel size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from sectome.trained_settings import warn_of_other_voxels
from sectome.transforms.keywise import Keywise
from sectome.volumes import open_with_default_size, require_voxel_size


class LoadVolume(Transform):
    """Read a whole volume of any format as (1, Z, Y, X).

    The metadata are "filename", "voxel_size_nm" and "offset_nm" (z, y, x), and as MONAI names them "spatial_shape"
    (X, Y, Z) and "original_affine" (4, 4), in mm; see `Volume.affine_mm`.

    Args:
        voxel_size_nm: (z, y, x), for files that do not state it.
        trained_nm: voxel size (z, y, x) that a model was trained on; another one gives a warning.

    Raises:
        InputError: when called, if the path holds no volume or the volume has no voxel size.
    """

    def __init__(self, voxel_size_nm: Sequence[float] | None = None, trained_nm: Sequence[float] | None = None) -> None:
        self.voxel_size_nm = voxel_size_nm
        self.trained_nm = trained_nm

    def __call__(self, path: str | Path) -> MetaTensor:
        """Return the voxels and their metadata."""
        volume = open_with_default_size(path, self.voxel_size_nm)
        voxel_size_nm = require_voxel_size(volume)
        warn_of_other_voxels(voxel_size_nm, self.trained_nm, volume.name)
        array = np.asarray(volume)
        if array.dtype.kind == "u" and array.dtype.itemsize > 1:
            # torch computes with few unsigned types.
            array = array.astype(np.int64)
        meta = {
            "filename": str(path),
            "voxel_size_nm": torch.tensor(voxel_size_nm, dtype=torch.float64),
            "offset_nm": torch.tensor(volume.offset_nm, dtype=torch.float64),
            "spatial_shape": np.array(volume.shape[::-1]),
            "original_affine": volume.affine_mm,
        }
        return MetaTensor(torch.from_numpy(np.ascontiguousarray(array))[None], meta=meta)


class LoadVolumed(Keywise, of=LoadVolume):
    """Dictionary version of `LoadVolume`."""
