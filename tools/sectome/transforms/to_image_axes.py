"""The one place where results leave this project's axes (Z, Y, X) for those of MONAI's images."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from sectome.transforms.keywise import Keywise


class ToImageAxes(Transform):
    """Turn (C, Z, Y, X) into (C, X, Y, Z), the order of a NIfTI and of MONAI's images; a view, nothing is copied.

    The metadata stay; `LoadVolume` has put the image's affine and its shape in that order there.
    """

    def __call__(self, volume: torch.Tensor) -> torch.Tensor:
        """Return the same voxels in the other order."""
        turned = volume.permute(0, 3, 2, 1)
        return MetaTensor(turned, meta=volume.meta) if isinstance(volume, MetaTensor) else turned


class ToImageAxesd(Keywise, of=ToImageAxes):
    """Dictionary version of `ToImageAxes`."""
