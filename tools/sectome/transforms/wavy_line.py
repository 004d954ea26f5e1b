"""Gently wavy lines along which sections end, tear or fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from sectome.transforms.augmentation import Parameters
from sectome.transforms.beside import beside
from sectome.transforms.in_plane import pixel_grid, sample_in_plane

WAVES = 3
WAVELENGTHS_VOXELS = (24.0, 384.0)


def draw_wavy_line(
    random: np.random.RandomState, shape: tuple[int, int], waviness: float, across: tuple[float, float]
) -> Parameters:
    """Draw a line of any direction: a straight one with waves of several lengths.

    Args:
        random: generator of random numbers.
        shape: size (Y, X) of the section in voxels.
        waviness: maximum slope of the waves; 0 is a straight line.
        across: range of the line's position along its normal: 0 where it first touches the section, 1 where it leaves.

    Returns:
        `normal` (2,), unit normal (y, x) of the straight line; `position` of the line along it, from the section's
        centre; `amplitudes`, `wavelengths` and `phases` of the waves. All lengths are in voxels.
    """
    angle = random.uniform(0, 2 * np.pi)
    normal = np.array([np.sin(angle), np.cos(angle)])
    extent = np.abs(normal) @ (np.array(shape) - 1)
    shortest, longest = np.log(WAVELENGTHS_VOXELS)
    wavelengths = np.exp(random.uniform(shortest, longest, WAVES))
    return {
        "normal": normal,
        "position": (random.uniform(*across) - 0.5) * extent,
        "amplitudes": random.uniform(0, waviness / WAVES, WAVES) * wavelengths / (2 * np.pi),
        "wavelengths": wavelengths,
        "phases": random.uniform(0, 2 * np.pi, WAVES),
    }


def distance_to_line(sections: Tensor, line: Mapping[str, Tensor]) -> Tensor:
    """Return how far each voxel lies beyond a line, in voxels along its normal; negative before it.

    Measured along the straight line's normal, not the shortest way, so that a step along it changes this by its length.

    Args:
        sections: (B, C, n, Y, X); only shape and device are used.
        line: results of `draw_wavy_line`, each stacked as (B, n, ...).

    Returns:
        (B, n, Y, X) float32 on the device of the sections.
    """
    y, x = pixel_grid(sections)
    y, x = y - (sections.shape[-2] - 1) / 2, x - (sections.shape[-1] - 1) / 2
    normal_y, normal_x = (part[..., None, None] for part in beside(line["normal"], y).unbind(-1))
    distance = normal_y * y + normal_x * x - beside(line["position"], y)[..., None, None]
    along = normal_x * y - normal_y * x
    waves = (beside(line[name], y).unbind(-1) for name in ("amplitudes", "wavelengths", "phases"))
    for amplitude, wavelength, phase in zip(*waves, strict=True):
        amplitude, phase = amplitude[..., None, None], phase[..., None, None]
        angle = along * (2 * torch.pi / wavelength[..., None, None]) + phase
        # Minus the wave at the middle: waves longer than the section would otherwise shift the whole line.
        distance = distance - amplitude * (angle.sin() - phase.sin())
    return distance


def sample_across(sections: Tensor, normal: Tensor, steps: Tensor) -> Tensor:
    """Return sections in which each voxel is sampled some steps along the normal of a line; see `sample_in_plane`.

    Args:
        sections: (B, C, n, Y, X) floats or integers.
        normal: (B, n, 2), unit normal (y, x).
        steps: (B, n, Y, X) voxels along the normal.
    """
    batch, channels, count, height, width = sections.shape
    y, x = pixel_grid(sections)
    normal_y, normal_x = (part[..., None, None] for part in beside(normal, steps).unbind(-1))
    from_y, from_x = (y + normal_y * steps).flatten(0, 1), (x + normal_x * steps).flatten(0, 1)
    apart = sections.transpose(1, 2).reshape(batch * count, channels, 1, height, width)
    moved = sample_in_plane(apart, from_y, from_x)
    return moved.reshape(batch, count, channels, height, width).transpose(1, 2)
