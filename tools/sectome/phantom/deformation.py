"""Smooth deformation of the tissue: without it, membranes would be as straight as the tubes inside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sectome.phantom.capsules import Capsules
from sectome.phantom.cells import Placed
from sectome.phantom.noise import NoiseTile, make_noise_tile

# The displacement changes by far less than 1 nm per nm, so that tissue never folds and a tube stays one piece.
_OCTAVES = [(150.0, 34.0), (50.0, 8.0)]


@dataclass(frozen=True)
class Deformation:
    """A mapping between points of the volume and of the undeformed tissue."""

    displacement: NoiseTile

    @classmethod
    def random(cls, rng: np.random.Generator) -> Deformation:
        """Return a random deformation."""
        return cls(make_noise_tile(rng, size=64, channels=3, pitch_nm=30.0, octaves=_OCTAVES))

    def to_tissue(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the positions of the volume's points (P, 3) in the undeformed tissue, both in nm."""
        return points + self.displacement.at(points)

    def to_volume(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the positions of the tissue's points (P, 3) in the volume, by fixed-point iteration."""
        placed = points.astype(np.float32)
        for _ in range(4):
            placed = (points - self.displacement.at(placed)).astype(np.float32)
        return placed.astype(np.float64)

    def place(self, capsules: Capsules, reach_nm: float) -> Placed:
        """Return capsules with the part of the volume that they, and `reach_nm` around them, can touch."""
        ends = np.stack([self.to_volume(capsules.start), self.to_volume(capsules.end)])
        thick = capsules.radius.max(axis=1, initial=0, keepdims=True)
        # A margin for stretched tissue around a capsule, relatively less around a wide one.
        reach = thick[:, 0] + reach_nm
        return Placed(capsules, ends.min(axis=0), ends.max(axis=0), reach + np.minimum(0.3 * reach, 60))
