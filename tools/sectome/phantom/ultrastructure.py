"""Brightness of a plane of tissue before imaging: cytoplasm, membranes and organelles.

Brightness runs from 0, black, to 1. Stained membranes are dark, as in a transmission image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from sectome.phantom.capsules import Capsules, closest
from sectome.phantom.cells import NOBODY, REACH_NM, Cells, Placed, Plane, share_out
from sectome.phantom.deformation import Deformation
from sectome.phantom.noise import NoiseTile, make_noise_tile
from sectome.phantom.organelles import Organelles

FloatPlane = npt.NDArray[np.float32]

_FAR_NM = 1000.0
_MEMBRANE_NM = 8.0
"""Distance from the midline between two cells to the middle of a membrane: half a cleft and half a membrane."""
_MEMBRANE_SIGMA_NM = 4.5
_CLEARANCE_NM = 24.0
"""Mitochondria stay this far from the midline between two cells."""


@dataclass(frozen=True)
class Shades:
    """Shades of each neurite, and the texture that all share.

    Attributes:
        grey: (N + 1,) float32, the mean brightness of each neurite's cytoplasm; the last is for points in no neurite.
        roughness: (N + 1,) float32, the standard deviation of its texture.
        shift_nm: (N + 1, 3) float32, its offset in the texture.
        texture: A field of standard deviation 1.
    """

    grey: FloatPlane
    roughness: FloatPlane
    shift_nm: FloatPlane
    texture: NoiseTile

    @classmethod
    def random(cls, rng: np.random.Generator, neurites: int) -> Shades:
        """Return random shades for a number of neurites."""
        count = neurites + 1
        grey = rng.normal(0.67, 0.045, count) - 0.16 * (rng.random(count) < 0.08)
        return cls(
            grey.astype(np.float32),
            rng.uniform(0.04, 0.1, count).astype(np.float32),
            rng.uniform(0, 1000, (count, 3)).astype(np.float32),
            make_noise_tile(rng, size=64, channels=1, pitch_nm=9.0, octaves=[(7.0, 0.75), (22.0, 0.65)]),
        )


@dataclass(frozen=True)
class Tissue:
    """The content of a volume, ready to be cut into planes."""

    neurites: Placed
    mitochondria: Placed
    microtubules: Placed
    reticulum: Placed
    vesicles: Placed
    contacts: Placed
    shades: Shades
    deformation: Deformation

    @classmethod
    def place(cls, tubes: Capsules, organelles: Organelles, shades: Shades, deformation: Deformation) -> Tissue:
        """Return the tissue of neurites, their organelles and their shades."""
        return cls(
            neurites=deformation.place(tubes, REACH_NM),
            mitochondria=deformation.place(organelles.mitochondria, 30.0),
            microtubules=deformation.place(organelles.microtubules, 15.0),
            reticulum=deformation.place(organelles.reticulum, 15.0),
            vesicles=deformation.place(organelles.vesicles, 15.0),
            contacts=deformation.place(organelles.contacts, 0.0),
            shades=shades,
            deformation=deformation,
        )


@dataclass(frozen=True)
class Cut:
    """A plane of tissue; arrays are (Y * X,).

    Attributes:
        brightness: float32, 0 to 1.
        cells: Neurite of each pixel.
        mitochondrion: int32, the chain of each pixel's mitochondrion; `NOBODY` outside all.
    """

    brightness: FloatPlane
    cells: Cells
    mitochondrion: npt.NDArray[np.int32]


def cut(tissue: Tissue, plane: Plane, thickness_nm: float) -> Cut:
    """Return a thin cut through the tissue.

    Args:
        tissue: Tissue to cut.
        plane: Plane of the cut.
        thickness_nm: Thickness along z that the cut averages; oblique membranes blur accordingly.
    """
    cells = share_out(plane, tissue.neurites)
    depth, capsule = _depths(tissue.mitochondria, plane, cells)
    # A mitochondrion is pressed flat by the membrane of its neurite and never crosses it.
    depth = np.maximum(depth, _CLEARANCE_NM - cells.margin_nm)

    shades = tissue.shades
    texture = shades.texture.at(plane.points + shades.shift_nm[cells.owner])[:, 0]
    brightness = shades.grey[cells.owner] + shades.roughness[cells.owner] * texture
    free = np.clip((cells.margin_nm - 14) / 8, 0, 1) * np.clip(depth / 8, 0, 1)
    for strands, darkness in (
        (tissue.microtubules, 0.30),
        (tissue.reticulum, 0.36),
        (tissue.vesicles, 0.42),
    ):
        brightness -= free * _rings(strands, plane, cells, darkness)
    brightness = _paint_mitochondria(brightness, tissue.mitochondria.capsules, plane, depth, capsule, texture)
    brightness = _paint_synapses(brightness, tissue.contacts, plane, cells)
    membrane = _double_membrane(cells.margin_nm, cells.slope * thickness_nm / np.sqrt(12))
    brightness = brightness * (1 - membrane) + (0.13 + 0.03 * texture) * membrane
    mitochondrion = np.full(len(depth), NOBODY, np.int32)
    inside = (depth < 0) & (capsule != NOBODY)
    mitochondrion[inside] = tissue.mitochondria.capsules.chain[capsule[inside]]
    return Cut(brightness.astype(np.float32), cells, mitochondrion)


def _double_membrane(margin_nm: FloatPlane, blur_nm: FloatPlane) -> FloatPlane:
    """Return the visible amount of membrane, 0 to 1, at a distance from the midline between two cells."""
    sigma = np.sqrt(_MEMBRANE_SIGMA_NM**2 + blur_nm**2)
    sides = [np.exp(-0.5 * ((margin_nm + side * _MEMBRANE_NM) / sigma) ** 2) for side in (-1, 1)]
    return np.asarray(0.92 * (_MEMBRANE_SIGMA_NM / sigma) * (sides[0] + sides[1])).clip(0, 1)


def _paint_mitochondria(
    brightness: FloatPlane,
    mitochondria: Capsules,
    plane: Plane,
    depth: FloatPlane,
    capsule: npt.NDArray[np.int32],
    texture: FloatPlane,
) -> FloatPlane:
    """Return the brightness with a double membrane, a grey matrix and cristae where mitochondria are."""
    touched = np.flatnonzero((capsule != NOBODY) & (depth < 20))
    if not len(touched):
        return brightness
    painted = brightness.copy()
    below, which, fine = depth[touched], capsule[touched], texture[touched]
    axis = mitochondria.end[which] - mitochondria.start[which]
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    aside = plane.points[touched] - mitochondria.start[which]
    chain = mitochondria.chain[which]
    # Cristae are sheets across the organelle, tilted and spaced differently in each.
    tilt = 0.5 * np.stack([np.sin(1.7 * chain), np.sin(2.9 * chain), np.sin(4.3 * chain)], axis=1)
    spacing = 52 + 12 * np.sin(3.1 * chain)
    phase = ((axis + tilt) * aside).sum(axis=1) / spacing + 0.06 * fine + 5.0 * np.sin(chain)
    sheet = np.exp(-0.5 * (np.abs(phase - np.round(phase)) * spacing / 6.0) ** 2)
    # A crista reaches in from either side of the membrane, seldom all the way across.
    reach = np.sin(2.4 * np.round(phase) + chain) + 0.3 * fine > -0.5
    matrix = 0.47 + 0.06 * np.sin(5.1 * chain) + 0.03 * fine
    matrix = matrix - 0.2 * sheet * reach * np.clip((-below - 14) / 6, 0, 1)
    inside = np.clip(0.5 - below / 8, 0, 1)
    value = painted[touched] * (1 - inside) + matrix * inside
    wall = 0.8 * np.exp(-0.5 * ((below + 2) / 4.5) ** 2) + 0.45 * np.exp(-0.5 * ((below + 16) / 4.5) ** 2)
    painted[touched] = value * (1 - wall) + 0.17 * wall
    return painted


def _paint_synapses(brightness: FloatPlane, contacts: Placed, plane: Plane, cells: Cells) -> FloatPlane:
    """Return the brightness with synaptic densities, thicker on the postsynaptic side of the cleft."""
    painted = brightness.copy()
    pixels = np.arange(len(painted)).reshape(plane.shape)
    for n, (top, bottom, left, right) in zip(*contacts.near(plane), strict=True):
        here = pixels[top:bottom, left:right].ravel()
        owner, neighbour, margin = cells.owner[here], cells.neighbour[here], cells.margin_nm[here]
        before, after = contacts.capsules.owner[n], contacts.capsules.chain[n]
        behind = (owner == after) & (neighbour == before)
        facing = behind | ((owner == before) & (neighbour == after))
        far = np.linalg.norm(plane.points[here] - contacts.capsules.start[n], axis=1) / contacts.capsules.radius[n, 0]
        density = 0.42 * np.exp(-0.5 * (np.maximum(margin - 6, 0) / np.where(behind, 26.0, 10.0)) ** 2)
        painted[here] -= np.where(facing, density * np.clip(4 * (1 - far), 0, 1), 0)
    return np.maximum(painted, 0.1)


def _depths(objects: Placed, plane: Plane, cells: Cells) -> tuple[FloatPlane, npt.NDArray[np.int32]]:
    """Return the signed distance (P,) to the nearest object in the same neurite, negative inside, and its capsule."""
    index, boxes = objects.near(plane)
    shapes = objects.capsules
    depth = np.full(len(plane.points), _FAR_NM, np.float32)
    capsule = np.full(len(plane.points), NOBODY, np.int32)
    shape = shapes.start, shapes.end, shapes.radius, shapes.owner
    _measure_depths(plane.points, plane.shape[1], index, boxes, *shape, cells.owner, depth, capsule)
    return depth, capsule


def _rings(objects: Placed, plane: Plane, cells: Cells, darkness: float) -> FloatPlane:
    """Return how much (P,) the walls of tubules and vesicles darken their neurite."""
    depth, _ = _depths(objects, plane, cells)
    return np.asarray(darkness * np.exp(-0.5 * (depth / _MEMBRANE_SIGMA_NM) ** 2), np.float32)


@numba.njit
def _measure_depths(points, width, index, boxes, start, end, radius, owner, owners, depth, capsule):  # type: ignore[no-untyped-def]
    """Lower each point's signed distance to that of the nearest capsule of its own neurite, and store the capsule."""
    for m in range(len(index)):
        n = index[m]
        a, b = start[n], end[n]
        for y in range(boxes[m, 0], boxes[m, 1]):
            for p in range(y * width + boxes[m, 2], y * width + boxes[m, 3]):
                if owners[p] != owner[n]:
                    continue
                along, squared = closest(a, b, points[p, 0], points[p, 1], points[p, 2])
                distance = np.sqrt(squared) - radius[n, 0] - along * (radius[n, 1] - radius[n, 0])
                if distance < depth[p]:
                    depth[p], capsule[p] = distance, n
