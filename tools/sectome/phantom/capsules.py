"""Capsules, the shapes from which the phantom is built, and distances to them.

A capsule is a line segment with a radius at each end. Chains of capsules form neurites, mitochondria and microtubules.
A capsule of length zero is a vesicle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Capsules:
    """N capsules, in nm along (z, y, x).

    Attributes:
        start: (N, 3) float64, one end of the axis.
        end: (N, 3) float64, the other end.
        radius: (N, 2) float64, the radius at the start and at the end.
        owner: (N,) int32, the index of the neurite of each.
        chain: (N,) int32, the index of the object of each, such as a neurite or mitochondrion.
    """

    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    radius: npt.NDArray[np.float64]
    owner: npt.NDArray[np.int32]
    chain: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.owner)


def chain_of(
    points: npt.NDArray[np.float64], radii: npt.NDArray[np.float64], owner: int, chain: int | None = None
) -> Capsules:
    """Return the capsules between successive points.

    Args:
        points: (N + 1, 3) float64 in nm.
        radii: (N + 1,) float64 in nm.
        owner: Index of their neurite.
        chain: Index of the object that they form; the owner if None.

    Returns:
        N capsules.
    """
    count = len(points) - 1
    return Capsules(
        start=points[:-1],
        end=points[1:],
        radius=np.stack([radii[:-1], radii[1:]], axis=1),
        owner=np.full(count, owner, np.int32),
        chain=np.full(count, owner if chain is None else chain, np.int32),
    )


def spheres(centres: npt.NDArray[np.float64], radii: npt.NDArray[np.float64], owner: int) -> Capsules:
    """Return capsules of length zero in one neurite, with radii (N,) around centres (N, 3), both in nm."""
    owners = np.full(len(centres), owner, np.int32)
    return Capsules(centres, centres, np.stack([radii, radii], axis=1), owners, owners)


def join(parts: Sequence[Capsules]) -> Capsules:
    """Concatenate several sets of capsules; an empty sequence gives an empty set."""
    if not parts:
        nowhere, nobody = np.empty((0, 3)), np.empty(0, np.int32)
        return Capsules(nowhere, nowhere, np.empty((0, 2)), nobody, nobody)
    return Capsules(
        start=np.concatenate([part.start for part in parts]),
        end=np.concatenate([part.end for part in parts]),
        radius=np.concatenate([part.radius for part in parts]),
        owner=np.concatenate([part.owner for part in parts]),
        chain=np.concatenate([part.chain for part in parts]),
    )


@numba.njit
def closest(start, end, z, y, x):  # type: ignore[no-untyped-def]
    """Return where on the axis, 0 to 1, its closest point to (z, y, x) lies, and the squared distance in nm²."""
    az, ay, ax = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    pz, py, px = z - start[0], y - start[1], x - start[2]
    squared_length = az * az + ay * ay + ax * ax
    along = 0.0
    if squared_length > 0.0:
        along = min(1.0, max(0.0, (pz * az + py * ay + px * ax) / squared_length))
    pz -= along * az
    py -= along * ay
    px -= along * ax
    return along, pz * pz + py * py + px * px
