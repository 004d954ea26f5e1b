"""Grey values to mean 0 and deviation 1, by the statistics of the volume that they come from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform

from sectome.types import Array, FloatArray

SECTIONS = 16
"""How many sections, spread evenly, the statistics are taken from."""


class _Sections(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, item: Any, /) -> Array: ...


def intensity_statistics(volume: _Sections) -> tuple[float, float]:
    """Return mean and standard deviation of a (Z, Y, X) volume, from at most `SECTIONS` of its sections.

    Sections of one value (missing ones) are left out; a volume of one value has deviation 1.
    """
    chosen = np.unique(np.linspace(0, volume.shape[0] - 1, SECTIONS).round().astype(int))
    sections = [np.asarray(volume[int(z)], dtype=np.float64) for z in chosen]
    varied = [section for section in sections if section.min() != section.max()] or sections
    values = np.concatenate([section.ravel() for section in varied])
    return float(values.mean()), float(values.std()) or 1.0


def standardise_intensity(image: Array, mean: float, deviation: float) -> FloatArray:
    """Return ``(image - mean) / deviation`` as float32, any shape."""
    return (image.astype(np.float32) - np.float32(mean)) * np.float32(1.0 / deviation)


class StandardiseIntensity(Transform):
    """Standardise a whole volume (1, Z, Y, X) by its own statistics."""

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """Return float32 (1, Z, Y, X), metadata kept."""
        mean, deviation = intensity_statistics(np.asarray(image[0]))
        return (image.to(torch.float32) - mean) * (1.0 / deviation)


class StandardiseIntensityd(MapTransform):
    """Dictionary version of `StandardiseIntensity`."""

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = StandardiseIntensity()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Apply to each key."""
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self.transform(result[key])
        return result
