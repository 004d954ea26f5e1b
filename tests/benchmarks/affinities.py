"""Affinities of 12 offsets for a crop of 32x160x160, ours against a loop over voxels.

Run: python tests/benchmarks/affinities.py
"""

from __future__ import annotations

from interleaved import cpu_seconds, print_table  # isort: skip  (sets the number of threads)

import numpy as np
import torch

from sectome.affinities import labels_to_affinities
from sectome.neighbourhoods import LONG_RANGE

CROP = (32, 160, 160)


def loops(labels: list[list[list[int]]]) -> np.ndarray:
    """Return affinities (K, Z, Y, X), voxel by voxel and offset by offset."""
    affinities = np.zeros((len(LONG_RANGE), *CROP), np.uint8)
    for channel, (dz, dy, dx) in enumerate(LONG_RANGE):
        for z in range(max(0, -dz), CROP[0] - max(0, dz)):
            for y in range(max(0, -dy), CROP[1] - max(0, dy)):
                for x in range(max(0, -dx), CROP[2] - max(0, dx)):
                    here = labels[z][y][x]
                    if here and here == labels[z + dz][y + dy][x + dx]:
                        affinities[channel, z, y, x] = 1
    return affinities


def main() -> None:
    """Print the time of a crop."""
    coarse = np.random.default_rng(0).integers(0, 50, (8, 20, 20))
    labels = coarse.repeat(4, 0).repeat(8, 1).repeat(8, 2)
    tensor, nested = torch.from_numpy(labels), labels.tolist()
    assert np.array_equal(labels_to_affinities(tensor, LONG_RANGE)[0].numpy(), loops(nested))
    candidates = {
        "loops": lambda: loops(nested),
        "sectome, numpy": lambda: labels_to_affinities(labels, LONG_RANGE),
        "sectome, torch": lambda: labels_to_affinities(tensor, LONG_RANGE),
    }
    print_table(f"affinities of {len(LONG_RANGE)} offsets, {CROP}", cpu_seconds(candidates, rounds=5), "loops")


if __name__ == "__main__":
    main()
