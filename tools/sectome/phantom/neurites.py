"""Neurites: winding, branching tubes of varied calibre, packed until little space is left.

Thick ones grow first. Thinner ones wind through the remaining space, as axons do around dendrites in cortex. Space that
stays free goes to the nearest neurite; see `sectome.phantom.cells`.
"""

from __future__ import annotations

import numpy as np

from sectome.phantom.capsules import Capsules, chain_of, join
from sectome.phantom.clearance import PITCH_NM, Clearance
from sectome.phantom.growth import Calibre, Growth, Path, Points, unit

_PADDING_NM = 300.0
"""Neurites grow this far beyond the volume, so that its faces cut them like any other plane."""
_LIMIT_NM = 1000.0
_THICKEST_SHARE = 0.3
"""Maximum radius relative to the volume's mean edge: more would leave a small volume with a single cell."""
_THIN_NM = 48.0
"""Radius of the thinnest axons, for which no volume is too small."""
_BUNDLING = 0.7
"""Weight of a common direction, along or against which neurites run, relative to a random direction."""

CALIBRES = (
    Calibre("dendrite", (160.0, 420.0), 0.6, 0.16, 0.12, 0.0, 1.6, True, 900.0),
    Calibre("axon", (85.0, 170.0), 0.5, 0.36, 0.3, 0.9, 0.2, False, 700.0),
    Calibre("thin axon", (_THIN_NM, 90.0), 0.75, 0.52, 0.4, 0.5, 0.15, False, 500.0),
    Calibre("glia", (36.0, 52.0), 0.8, 0.56, 0.7, 0.8, 7.0, False, 700.0),
)
"""Classes of neurites, in the order in which they grow."""


def grow_neurites(rng: np.random.Generator, extent_nm: Points) -> list[Path]:
    """Pack a box with neurites.

    Args:
        rng: Random generator.
        extent_nm: (3,) edge lengths of the box along (z, y, x); it starts at zero.

    Returns:
        The paths of the neurites, several for a branched one. Neurites are numbered from 0 in the order of `CALIBRES`.
    """
    thickest_nm = max(_THICKEST_SHARE * float(np.prod(extent_nm)) ** (1 / 3), _THIN_NM)
    space = Clearance.empty(extent_nm, min(_PADDING_NM, 2.5 * thickest_nm), _LIMIT_NM)
    growth = Growth(rng, space)
    fascicle = unit(rng.standard_normal(3))
    room = space.distance_nm
    paths: list[Path] = []
    neurites = 0
    for calibre in CALIBRES:
        low, high = (min(radius, thickest_nm) for radius in calibre.radius_nm)
        for index in rng.permutation(room.size):
            if growth.taken > calibre.filling * room.size:
                break
            if room.flat[index] < calibre.shrinks_to * low:
                continue
            start = space.origin_nm + PITCH_NM * np.array(np.unravel_index(index, room.shape))
            direction = unit(rng.standard_normal(3) + rng.choice([-_BUNDLING, _BUNDLING]) * fascicle)
            grown = growth.grow(start, direction, low * (high / low) ** rng.random(), calibre, neurites)
            neurites += bool(grown)
            paths += grown
    return paths


def capsules_of(paths: list[Path]) -> Capsules:
    """Return the capsules of all paths."""
    return join([chain_of(path.points, path.radii, path.neurite) for path in paths])
