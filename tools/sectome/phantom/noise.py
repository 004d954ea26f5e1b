"""Smooth periodic random fields, so that a small tile covers tissue of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
from scipy import ndimage


@dataclass(frozen=True)
class NoiseTile:
    """A periodic random field over all space, zero on average.

    Attributes:
        values: (N, N, N, C) float32, one period of the field with C channels; N is a power of two.
        pitch_nm: Distance between values.
    """

    values: npt.NDArray[np.float32]
    pitch_nm: float

    def at(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the field (P, C) float32, interpolated at points (P, 3) in nm along (z, y, x)."""
        field = np.zeros((len(points), self.values.shape[3]), np.float32)
        _interpolate_periodic(self.values, np.float32(1 / self.pitch_nm), points, field)
        return field


def make_noise_tile(
    rng: np.random.Generator, size: int, channels: int, pitch_nm: float, octaves: list[tuple[float, float]]
) -> NoiseTile:
    """Return a random field as a sum of Gaussian-smoothed white noises.

    Args:
        rng: Random generator.
        size: Values along each axis of a period, a power of two.
        channels: Independent components.
        pitch_nm: Distance between values.
        octaves: For each noise, its scale (the sigma of its smoothing in nm) and its standard deviation.

    Returns:
        The field.
    """
    values = np.zeros((size, size, size, channels), np.float32)
    for sigma_nm, amplitude in octaves:
        for channel in range(channels):
            white = rng.standard_normal((size, size, size), dtype=np.float32)
            smooth = ndimage.gaussian_filter(white, sigma_nm / pitch_nm, mode="wrap")
            values[..., channel] += np.float32(amplitude) / smooth.std() * smooth
    return NoiseTile(values, pitch_nm)


@numba.njit
def _interpolate_periodic(values, per_nm, points, result):  # type: ignore[no-untyped-def]
    """Add the trilinear interpolation of a periodic field at points (P, 3) to the result (P, C)."""
    mask = values.shape[0] - 1
    channels = values.shape[3]
    for point in range(len(points)):
        z, y, x = points[point, 0] * per_nm, points[point, 1] * per_nm, points[point, 2] * per_nm
        iz, iy, ix = int(np.floor(z)), int(np.floor(y)), int(np.floor(x))
        fz, fy, fx = np.float32(z - iz), np.float32(y - iy), np.float32(x - ix)
        for corner in range(8):
            dz, dy, dx = corner >> 2, (corner >> 1) & 1, corner & 1
            weight = (fz if dz else 1 - fz) * (fy if dy else 1 - fy) * (fx if dx else 1 - fx)
            for channel in range(channels):
                value = values[(iz + dz) & mask, (iy + dy) & mask, (ix + dx) & mask, channel]
                result[point, channel] += weight * value
