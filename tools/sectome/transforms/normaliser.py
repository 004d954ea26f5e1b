"""What turns grey values of any microscope into those that networks take: fitted to a volume, applied to its crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from monai.data import MetaTensor
from torch import Tensor

from sectome.checks import InputError
from sectome.transforms.any_array import as_tensor
from sectome.types import Array


class Sections(Protocol):
    """Voxels (Z, Y, X) in memory or on disk, of which some sections, or blocks of them, are read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        ...

    def __getitem__(self, item: Any, /) -> Array: ...


class FittedNormaliser(Protocol):
    """What a normaliser found in a volume: plain numbers, small and easily pickled."""

    def apply(self, crop: Array | Tensor, first_section: int = 0) -> Tensor:
        """Return a crop of the volume as float32, on the device where it is.

        Args:
            crop: (Z, Y, X) as they are in the volume; stays as it is.
            first_section: which section of the volume the crop's first is.

        Raises:
            InputError: if grey values are NaN or infinite.
        """
        ...


class Normaliser(Protocol):
    """How grey values are normalised."""

    def fit(self, volume: Sections) -> FittedNormaliser:
        """Look at a volume (Z, Y, X) and return what its crops need.

        Raises:
            InputError: if grey values that are looked at are NaN or infinite.
        """
        ...


def check_finite(crop: Array | Tensor, first_section: int, corner: Sequence[int] = (0, 0)) -> None:
    """Raise an `InputError` with count and first position of values (Z, Y, X) that are NaN or infinite.

    What lies on a GPU was looked at when it came there (see `ResidentVolume`): each answer would be waited for.

    Args:
        crop: grey values.
        first_section: which section of the volume the crop's first is.
        corner: where (y, x) of its first voxel is counted from.
    """
    voxels = as_tensor(crop)
    if voxels.is_floating_point() and not voxels.is_cuda and not bool(voxels.isfinite().all()):
        wrong = (~voxels.isfinite()).nonzero()
        z, y, x = wrong[0].tolist()
        # Who reads crops says whose they are.
        whose = f"{crop.meta.get('filename', 'image')}: " if isinstance(crop, MetaTensor) else ""
        raise InputError(
            f"{whose}grey values must be finite, got {len(wrong)} that are NaN or infinite, the first in section "
            f"{first_section + z} at (y, x) = ({corner[0] + y}, {corner[1] + x})"
        )
