"""Simulated imaging of sections: blur, contrast, noise, and an occasional defect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatPlane = npt.NDArray[np.float32]

_BLUR_NM = 4.5
_COUNTS = 150.0
"""Number of electrons at a pixel of brightness 1; shot noise grows with its square root."""
_DEFECTS_PER_UM = 1.3
"""Defective sections per µm of z: about 4 of 100 serial sections, fewer where sections are thin."""


@dataclass(frozen=True)
class Microscope:
    """A microscope that images one section after another, each with another contrast.

    Attributes:
        rng: Generator of noise and defects.
        thickness_nm: Thickness of a section.
        pixel_nm: Size of a pixel along (y, x).
    """

    rng: np.random.Generator
    thickness_nm: float
    pixel_nm: tuple[float, float]

    def image(self, brightness: FloatPlane) -> npt.NDArray[np.uint8]:
        """Return the image (Y, X) uint8 of a section, given its brightness (Y, X) from 0 (black) to 1."""
        rng = self.rng
        seen = ndimage.gaussian_filter(brightness, [_BLUR_NM / pixel for pixel in self.pixel_nm])
        if rng.random() < _DEFECTS_PER_UM * self.thickness_nm / 1000:
            seen = self._spoil(seen)
        contrast, offset = rng.normal(1, 0.06), rng.normal(0, 0.02)
        seen = 0.55 + offset + contrast * (seen - 0.55) + self._shading(seen.shape)
        seen = rng.poisson(np.clip(seen, 0.01, 2) * _COUNTS) / _COUNTS + rng.normal(0, 0.02, seen.shape)
        # The beam is a little wider than a pixel, so that neighbouring pixels share some noise.
        seen = ndimage.gaussian_filter(seen, 0.45)
        return np.clip(np.rint(255 * seen), 0, 255).astype(np.uint8)

    def _shading(self, shape: tuple[int, ...]) -> FloatPlane:
        """Return a gradual change of brightness across a section (Y, X)."""
        y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
        tilt_y, tilt_x = self.rng.normal(0, 0.012, 2)
        return np.asarray(tilt_y * y + tilt_x * x, np.float32)

    def _spoil(self, seen: FloatPlane) -> FloatPlane:
        """Return a section (Y, X) with one random defect."""
        rng = self.rng
        y, x = np.meshgrid(
            *(np.arange(size) * pixel for size, pixel in zip(seen.shape, self.pixel_nm, strict=True)), indexing="ij"
        )
        kind = rng.choice(["dark", "blurred", "fold", "charged"])
        if kind == "dark":
            return rng.uniform(0.45, 0.7) * seen
        if kind == "blurred":
            return np.asarray(ndimage.gaussian_filter(seen, [rng.uniform(10, 18) / pixel for pixel in self.pixel_nm]))
        if kind == "fold":
            angle, across = rng.uniform(0, np.pi), rng.uniform(0.2, 0.8)
            distance = np.sin(angle) * (y - across * y.max()) + np.cos(angle) * (x - across * x.max())
            distance += 30 * np.sin(distance / 300 + (np.cos(angle) * y - np.sin(angle) * x) / 200)
            band = np.exp(-((distance / rng.uniform(40, 110)) ** 4))
            return np.asarray(seen * (1 - 0.75 * band), np.float32)
        streaks = ndimage.gaussian_filter1d(rng.standard_normal(seen.shape[0]), 3)
        cloud = np.exp(-0.5 * ((y - rng.uniform(0, y.max() + 1)) / (0.2 * y.max() + 1)) ** 2)
        return np.asarray(seen + cloud * (0.18 + 0.35 * streaks[:, None]), np.float32)
