"""Conversion of results from this project's axes (Z, Y, X) to those of MONAI's images, done nowhere else."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from sectome.transforms.keywise import Keywise


class ToImageAxes(Transform):
    """Permute (C, Z, Y, X) to (C, X, Y, Z), the order of NIfTI and of MONAI's images; a view, nothing is copied.

    Metadata are kept: `LoadVolume` has stored the image's affine and shape in that order.
    """

    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """Return a view of the same voxels in the other order."""
        turned = volume.permute(0, 3, 2, 1)
        return MetaTensor(turned, meta=volume.meta) if isinstance(volume, MetaTensor) else turned


class ToImageAxesd(Keywise, of=ToImageAxes):
    """Dictionary version of `ToImageAxes`."""
