"""Organelles of neurites: mitochondria, microtubules, endoplasmic reticulum, and vesicles at synapses.

Sizes are those of mammalian neuropil (Peters, Palay and Webster 1991, The Fine Structure of the Nervous System).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from sectome.phantom.capsules import Capsules, chain_of, join, spheres
from sectome.phantom.cells import NOBODY, share_out_points
from sectome.phantom.growth import Path, Points

_VESICLE_NM = 17.0
"""Distance from the centre of a vesicle to the middle of its membrane; vesicles are 40 nm across."""


@dataclass(frozen=True)
class Organelles:
    """Organelles of all neurites of a volume.

    Attributes:
        mitochondria: One chain of capsules each; the owner is the neurite.
        microtubules: Chains of thin capsules along the neurites.
        reticulum: Chains of tubules; the radius is that of the membrane.
        vesicles: Capsules of length zero; the radius is that of the membrane.
        contacts: Spheres in which two membranes are dense; the owner has the vesicles, the chain is the other neurite.
    """

    mitochondria: Capsules
    microtubules: Capsules
    reticulum: Capsules
    vesicles: Capsules
    contacts: Capsules


def make_organelles(rng: np.random.Generator, paths: list[Path], tubes: Capsules) -> Organelles:
    """Return the organelles of neurites.

    Args:
        rng: Random generator.
        paths: Paths of the neurites.
        tubes: Neurites as capsules.
    """
    mitochondria: list[Capsules] = []
    microtubules: list[Capsules] = []
    reticulum: list[Capsules] = []
    vesicles: list[Capsules] = []
    contacts: list[Capsules] = []
    for path in paths:
        frames = _frames(path.points)
        mitochondria += _mitochondria(rng, path, frames, first=len(mitochondria))
        microtubules += _microtubules(rng, path, frames)
        reticulum += _reticulum(rng, path, frames)
        for contact, cloud in _synapses(rng, path, frames, tubes):
            contacts.append(contact)
            vesicles.append(cloud)
    return Organelles(join(mitochondria), join(microtubules), join(reticulum), join(vesicles), join(contacts))


def _mitochondria(rng: np.random.Generator, path: Path, frames: Points, first: int) -> list[Capsules]:
    """Return mitochondria along a path, where it is wide enough; their chains are numbered from `first`."""
    found: list[Capsules] = []
    travelled = _travelled(path.points)
    tracks = int(np.clip(np.median(path.radii) / 170, 1, 3))
    for _ in range(tracks):
        at = rng.uniform(-600, 400)
        while at < travelled[-1]:
            length = rng.uniform(300, 1300)
            steps = np.arange(max(at, 0), min(at + length, travelled[-1]), 50.0)
            at += length + rng.exponential(900)
            room = _resample(path.radii[:, None], travelled, steps)[:, 0]
            if len(steps) < 3 or room.min() < 85:
                continue
            radius = min(rng.uniform(55, 80) + 0.2 * room.min(), room.min() - 30, 160)
            angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.12, len(steps)))
            aside = rng.uniform(0, 0.9) * np.maximum(room - radius - 25, 0)
            frame = _resample(frames.reshape(-1, 6), travelled, steps).reshape(-1, 2, 3)
            points = _resample(path.points, travelled, steps)
            points += aside[:, None] * _around(frame, angle)
            radii = radius * (1 + rng.normal(0, 0.07, len(steps)))
            radii[[0, -1]] *= 0.75
            found.append(chain_of(points, radii, path.neurite, first + len(found)))
    return found


def _microtubules(rng: np.random.Generator, path: Path, frames: Points) -> list[Capsules]:
    """Return microtubules along the whole length of a path."""
    thick = float(np.median(path.radii))
    count = int(np.clip(rng.uniform(0.5, 1.2) * np.pi * (thick / 110) ** 2, 0, 30))
    found = []
    for angle, aside in zip(rng.uniform(0, 2 * np.pi, count), 0.75 * np.sqrt(rng.random(count)), strict=True):
        drift = angle + np.cumsum(rng.normal(0, 0.1, len(path.points)))
        points = path.points + (aside * path.radii)[:, None] * _around(frames, drift)
        found.append(chain_of(points, np.full(len(points), 4.0), path.neurite))
    return found


def _reticulum(rng: np.random.Generator, path: Path, frames: Points) -> list[Capsules]:
    """Return stretches of endoplasmic reticulum along a path."""
    found = []
    travelled = _travelled(path.points)
    thick = float(np.median(path.radii))
    if thick < 70:
        return []
    for at in rng.uniform(0, travelled[-1], rng.poisson(travelled[-1] / 600 * np.clip(thick / 90, 1, 8))):
        steps = np.arange(at, min(at + rng.uniform(150, 900), travelled[-1]), 40.0)
        if len(steps) < 3:
            continue
        frame = _resample(frames.reshape(-1, 6), travelled, steps).reshape(-1, 2, 3)
        room = _resample(path.radii[:, None], travelled, steps)[:, 0]
        angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.35, len(steps)))
        points = _resample(path.points, travelled, steps)
        points += (rng.uniform(0.1, 0.8) * np.maximum(room - 25, 0))[:, None] * _around(frame, angle)
        radii = np.clip(rng.uniform(10, 28) + np.cumsum(rng.normal(0, 3, len(steps))), 8, 36)
        found.append(chain_of(points, radii, path.neurite))
    return found


def _synapses(rng: np.random.Generator, path: Path, frames: Points, tubes: Capsules) -> list[tuple[Capsules, Capsules]]:
    """Return synapses at the swellings of an axon, and the vesicles of each."""
    found: list[tuple[Capsules, Capsules]] = []
    if path.calibre.spiny:
        return []
    swollen = np.flatnonzero(path.radii > 95)
    for at in rng.permutation(swollen)[: rng.poisson(len(swollen) / 10)]:
        centre, radius = path.points[at], path.radii[at]
        direction = _around(frames[at : at + 1], rng.uniform(0, 2 * np.pi, 1))[0]
        near = _within(tubes, centre, 500.0)
        ray = centre + np.arange(0, radius + 200, 6.0)[:, None] * direction
        cells = share_out_points(ray, near)
        beyond = np.flatnonzero((cells.owner != path.neurite) & (cells.owner != NOBODY))
        # Neurites are numbered from thick to thin: axons synapse onto thicker neurites, and never mutually.
        if not len(beyond) or cells.owner[beyond[0]] > path.neurite:
            continue
        centre = ray[beyond[0]]
        if any(np.linalg.norm(centre - other.start[0]) < 350 for other, _ in found):
            continue
        cloud = centre - rng.uniform(60, 120) * direction + rng.normal(0, rng.uniform(55, 110), (400, 3))
        inside = share_out_points(cloud, near)
        cloud = cloud[(inside.owner == path.neurite) & (inside.margin_nm > 38)]
        cloud = _apart(cloud, 42.0)[: rng.integers(15, 90)]
        sizes = _VESICLE_NM * rng.uniform(0.85, 1.15, len(cloud))
        contact = chain_of(
            np.stack([centre, centre]), np.full(2, rng.uniform(90, 180)), path.neurite, int(cells.owner[beyond[0]])
        )
        found.append((contact, spheres(cloud, sizes, path.neurite)))
    return found


def _apart(points: Points, distance_nm: float) -> Points:
    """Return the points (N, 3) without those closer than `distance_nm` to an earlier one."""
    if not len(points):
        return points
    keep = np.ones(len(points), bool)
    for one, other in sorted(cKDTree(points).query_pairs(distance_nm)):
        if keep[one]:
            keep[other] = False
    return points[keep]


def _within(tubes: Capsules, centre: Points, distance_nm: float) -> Capsules:
    """Return a superset of the capsules whose surface lies within `distance_nm` of a point."""
    reach = distance_nm + tubes.radius.max(axis=1) + np.linalg.norm(tubes.end - tubes.start, axis=1)
    index = np.flatnonzero(np.linalg.norm(tubes.start - centre, axis=1) < reach)
    return Capsules(tubes.start[index], tubes.end[index], tubes.radius[index], tubes.owner[index], tubes.chain[index])


def _frames(points: Points) -> Points:
    """Return two unit vectors across a path at each of its points, (N, 2, 3), which turn as little as possible."""
    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    frames = np.empty((len(points), 2, 3))
    across = np.eye(3)[np.argmin(np.abs(along[0]))]
    for n, direction in enumerate(along):
        across = across - (across @ direction) * direction
        across = across / np.linalg.norm(across)
        frames[n] = across, np.cross(direction, across)
    return frames


def _around(frames: Points, angle: Points) -> Points:
    """Return unit vectors (N, 3) across a path at angles (N,) in rad, given its frames (N, 2, 3)."""
    return np.cos(angle)[:, None] * frames[:, 0] + np.sin(angle)[:, None] * frames[:, 1]


def _travelled(points: Points) -> Points:
    """Return the length in nm of a path up to each of its points, (N,)."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])


def _resample(values: Points, travelled: Points, at: Points) -> Points:
    """Interpolate values (N, C) along a path at lengths (M,), and return them as (M, C)."""
    return np.stack([np.interp(at, travelled, column) for column in values.T], axis=1)
