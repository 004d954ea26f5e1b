"""Standardisation of grey values to mean 0 and standard deviation 1, by the statistics of their volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from monai.transforms import Transform
from torch import Tensor

from sectome.transforms.any_array import as_tensor
from sectome.transforms.keywise import Keywise
from sectome.transforms.normaliser import Sections, check_finite
from sectome.transforms.section_samples import kept_samples, of_varied_sections
from sectome.types import Array


def intensity_statistics(volume: Sections) -> tuple[float, float]:
    """Return mean and standard deviation of a (Z, Y, X) volume, from at most 16 of its sections; see `sample_section`.

    Memory use does not grow with the volume. Constant (missing) sections are left out. A constant volume gets standard
    deviation 1.

    Raises:
        InputError: if grey values that are read are NaN or infinite.
    """
    read, depth = kept_samples(volume), volume.shape[0]
    sums = of_varied_sections(lambda section: (section.size, float(section.sum(dtype=np.float64))), read, depth)
    count = sum(size for size, _ in sums)
    mean = sum(total for _, total in sums) / count

    def sum_of_squares(section: Array) -> float:
        difference = section - np.float64(mean)
        return float(np.square(difference, out=difference).sum())

    squares = sum(of_varied_sections(sum_of_squares, read, depth))
    return mean, float(np.sqrt(squares / count)) or 1.0


def standardise_intensity(image: Array | Tensor, mean: float, deviation: float) -> Tensor:
    """Return ``(image - mean) / deviation`` as a new float32 tensor, any shape, on the image's device."""
    voxels = as_tensor(image)
    # For bytes, one pass instead of three: for the type, the mean and the deviation.
    grey = voxels if voxels.dtype == torch.uint8 else voxels.to(torch.float32)
    return torch.add(torch.tensor(-mean / deviation), grey, alpha=1.0 / deviation)


@dataclass(frozen=True)
class FittedStandardisation:
    """Mean and standard deviation of a volume; a `FittedNormaliser`."""

    mean: float
    deviation: float

    def as_contrast(self) -> Tensor:
        """Return gain and offset (2,) with which `change_contrast` standardises the volume's grey values."""
        return torch.tensor([1.0, -self.mean]) / self.deviation

    def apply(self, crop: Array | Tensor, first_section: int = 0) -> Tensor:
        """Return a standardised crop (Z, Y, X); see `standardise_intensity`."""
        check_finite(crop, first_section)
        return standardise_intensity(crop, self.mean, self.deviation)


class StandardiseIntensity(Transform):
    """Standardise a whole volume (1, Z, Y, X) by its own statistics."""

    def fit(self, volume: Sections) -> FittedStandardisation:
        """Return the statistics of a volume (Z, Y, X); see `intensity_statistics`."""
        return FittedStandardisation(*intensity_statistics(volume))

    def __call__(self, image: Tensor) -> Tensor:
        """Return the standardised volume (1, Z, Y, X), float32, metadata kept."""
        voxels = as_tensor(image[0]).cpu()
        check_finite(voxels, 0)
        return standardise_intensity(image, *intensity_statistics(np.asarray(voxels)))


class StandardiseIntensityd(Keywise, of=StandardiseIntensity):
    """Dictionary version of `StandardiseIntensity`."""
