"""Growth of single neurites: a trunk through free space, and its branches or spines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sectome.phantom.capsules import chain_of
from sectome.phantom.clearance import PITCH_NM, Clearance

Points = npt.NDArray[np.float64]

_TURNS = 8
_NARROWEST_NM = 30.0
"""Smallest radius: below it, little would be left between the membranes on either side."""
_WIDEST_SWELLING = 2.5
"""Maximum radius over the mean radius."""


@dataclass(frozen=True)
class Calibre:
    """A class of neurites.

    Attributes:
        name: Usual name of the class.
        radius_nm: Range of mean radii, drawn log-uniformly.
        shrinks_to: Fraction of its radius to which free space may narrow a neurite before it ends.
        filling: Fraction of taken space above which no further neurite of this class starts.
        wander: Standard deviation of a step's turns, relative to its length.
        varicosities_per_um: Mean number of swellings per µm.
        branches_per_um: Mean number of side branches, per µm of trunk.
        spiny: Whether its branches are spines: short, with a thin neck and a head.
        shortest_nm: Minimum length.
    """

    name: str
    radius_nm: tuple[float, float]
    shrinks_to: float
    filling: float
    wander: float
    varicosities_per_um: float
    branches_per_um: float
    spiny: bool
    shortest_nm: float


@dataclass(frozen=True)
class Path:
    """An unbranched part of a neurite.

    Attributes:
        neurite: Index of the neurite.
        calibre: Its class.
        points: (N, 3) float64 in nm along (z, y, x), at least two.
        radii: (N,) float64 in nm.
    """

    neurite: int
    calibre: Calibre
    points: Points
    radii: npt.NDArray[np.float64]


@dataclass
class Growth:
    """Neurites that grow one after another in a common space.

    Attributes:
        rng: Random generator.
        space: Free space, kept up to date.
        taken: Number of its map values that are inside neurites.
    """

    rng: np.random.Generator
    space: Clearance
    taken: int = 0

    def grow(self, start: Points, direction: Points, radius: float, calibre: Calibre, neurite: int) -> list[Path]:
        """Grow one neurite in both directions from a start, then its branches, and take their space.

        Args:
            start: (3,) a point in nm.
            direction: (3,) a unit vector.
            radius: Its mean radius in nm.
            calibre: Its class.
            neurite: Its index.

        Returns:
            Its paths, the trunk first; none if it would be too short.
        """
        extent = np.array(self.space.distance_nm.shape) * PITCH_NM
        step = float(np.clip(0.4 * radius, 50.0, 120.0))
        steps = int(1.5 * np.linalg.norm(extent) / step) + 1
        forth, back = (self._walk(start, way, radius, calibre, step, steps) for way in (direction, -direction))
        points = np.concatenate([back[0][:0:-1], forth[0]])
        radii = np.concatenate([back[1][:0:-1], forth[1]])
        length = len(points) * step
        if len(points) < 3 or length < min(calibre.shortest_nm, 0.6 * extent.min()):
            return []
        # The map of free space is coarse, which leaves jumps in the radii.
        padded = np.pad(radii, 1, mode="edge")
        radii = np.minimum(radii, (padded[:-2] + padded[1:-1] + padded[2:]) / 3)
        paths = [Path(neurite, calibre, points, radii)]
        self._take(paths[0])
        for _ in range(self.rng.poisson(calibre.branches_per_um * length / 1000)):
            parent = paths[0] if calibre.spiny else paths[self.rng.integers(len(paths))]
            branch = self._branch(parent, int(self.rng.integers(len(parent.points))), steps)
            if branch is not None:
                paths.append(branch)
                self._take(branch)
        return paths

    def _take(self, path: Path) -> None:
        """Take the space of a path, and update the map as far around it as swellings of its class can reach."""
        capsules = chain_of(path.points, path.radii, path.neurite)
        self.taken += self.space.add(capsules, reach_nm=_WIDEST_SWELLING * path.calibre.radius_nm[1])

    def _branch(self, parent: Path, at: int, steps: int) -> Path | None:
        """Return a branch from a point of a path into the free space beside it; None if there is too little."""
        rng = self.rng
        along = parent.points[min(at + 1, len(parent.points) - 1)] - parent.points[max(at - 1, 0)]
        direction = unit(np.cross(rng.standard_normal(3), along))
        spiny = parent.calibre.spiny
        radius = rng.uniform(42, 58) if spiny else max(rng.uniform(0.6, 0.95) * parent.radii[at], _NARROWEST_NM)
        start = parent.points[at] + (parent.radii[at] + 1.5 * radius) * direction
        if self.space.at(start) < radius:
            return None
        steps = int(rng.integers(6, 16)) if spiny else steps
        points, radii = self._walk(start, direction, radius, parent.calibre, 35.0, steps)
        if len(points) < 4:
            return None
        if spiny:
            beside = np.sum((points - points[-1]) ** 2, axis=1)
            head = np.sqrt(np.maximum(rng.uniform(100, 200) ** 2 - beside, 0))
            room = np.array([self.space.at(point) for point in points])
            radii = np.maximum(radii, np.minimum(head, room))
        points = np.concatenate([parent.points[at : at + 1], points])
        return Path(parent.neurite, parent.calibre, points, np.concatenate([[radius], radii]))

    def _walk(
        self, start: Points, direction: Points, radius: float, calibre: Calibre, step: float, steps: int
    ) -> tuple[Points, npt.NDArray[np.float64]]:
        """Walk through free space with a varying radius and swellings; see `Clearance.walk`."""
        rng = self.rng
        swollen = 1 + 0.15 * np.cumsum(rng.standard_normal(steps)) * np.sqrt(step / 1000)
        at = np.arange(steps) * step
        for centre in rng.uniform(0, at[-1] + step, rng.poisson(calibre.varicosities_per_um * at[-1] / 1000)):
            swollen += rng.uniform(0.5, 1.8) * np.exp(-(((at - centre) / rng.uniform(120, 260)) ** 2))
        return self.space.walk(
            start,
            direction,
            radius * np.clip(swollen, 0.7, _WIDEST_SWELLING),
            smallest_nm=max(calibre.shrinks_to * radius, _NARROWEST_NM),
            step_nm=step,
            turns=calibre.wander * rng.standard_normal((steps, _TURNS, 3)),
        )


def unit(vector: Points) -> Points:
    """Return a vector (3,) scaled to length 1."""
    return np.asarray(vector / np.linalg.norm(vector))
