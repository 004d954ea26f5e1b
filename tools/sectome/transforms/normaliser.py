"""Normalisation of grey values of any microscope for networks: fitted to a volume, applied to its crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from monai.data import MetaTensor
from torch import Tensor

from sectome.checks import InputError
from sectome.transforms.any_array import as_tensor
from sectome.types import Array


class Sections(Protocol):
    """Voxels (Z, Y, X) in memory or on disk that can be read by sections or by blocks of them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of voxels along (z, y, x)."""
        ...

    def __getitem__(self, item: Any, /) -> Array: ...


class FittedNormaliser(Protocol):
    """Statistics of a volume that normalise its crops: plain numbers, small and easily pickled."""

    def apply(self, crop: Array | Tensor, first_section: int = 0) -> Tensor:
        """Return a normalised crop of the volume as float32, on the crop's device.

        Args:
            crop: (Z, Y, X), grey values of the volume; is not modified.
            first_section: number of the crop's first section in the volume.

        Raises:
            InputError: if grey values are NaN or infinite.
        """
        ...


class Normaliser(Protocol):
    """A way to normalise grey values."""

    def fit(self, volume: Sections) -> FittedNormaliser:
        """Return the statistics that normalise crops of a volume (Z, Y, X).

        Raises:
            InputError: if grey values that are read are NaN or infinite.
        """
        ...


def check_finite(crop: Array | Tensor, first_section: int, corner: Sequence[int] = (0, 0)) -> None:
    """Raise an `InputError` if grey values (Z, Y, X) are NaN or infinite, with their count and first position.

    Tensors on a GPU are skipped: they were checked on arrival (see `ResidentVolume`), and a check would make it wait.

    Args:
        crop: grey values.
        first_section: number of the crop's first section in the volume.
        corner: position (y, x) of the crop in its section.
    """
    voxels = as_tensor(crop)
    if voxels.is_floating_point() and not voxels.is_cuda and not bool(voxels.isfinite().all()):
        wrong = (~voxels.isfinite()).nonzero()
        z, y, x = wrong[0].tolist()
        # Readers of crops add their volume's name themselves.
        whose = f"{crop.meta.get('filename', 'image')}: " if isinstance(crop, MetaTensor) else ""
        raise InputError(
            f"{whose}grey values must be finite, got {len(wrong)} that are NaN or infinite, the first in section "
            f"{first_section + z} at (y, x) = ({corner[0] + y}, {corner[1] + x})"
        )
