"""Synthetic neural tissue with ground truth, for the demo, the tests and users who have no labels yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.measure import label as connected_components

from sectome.checks import InputError, check_triple, check_whole_number, check_whole_triple
from sectome.phantom.cells import NOBODY, Plane
from sectome.phantom.deformation import Deformation
from sectome.phantom.imaging import Microscope
from sectome.phantom.neurites import capsules_of, grow_neurites
from sectome.phantom.organelles import make_organelles
from sectome.phantom.ultrastructure import Shades, Tissue, cut
from sectome.types import LabelArray, Shape3, VoxelSize

SMALLEST_SHAPE: Shape3 = (4, 16, 16)
_HALF_MEMBRANE_NM = 8.0
"""Voxels closer than this to the midline between two cells are background: the two membranes lie there."""
_THICKEST_CUT_NM = 12.0
_JITTER_NM = 3.0
_SERIAL_SECTION_NM = 20.0
"""Thicker sections are cut by a knife and shift against each other; thinner ones are milled in place."""
_FEWEST_VOXELS = 100
"""Smaller pieces of a neurite, cut off by a face of the volume, become background."""


@dataclass(frozen=True)
class Phantom:
    """A volume of synthetic tissue and its ground truth; arrays are (Z, Y, X).

    Attributes:
        raw: uint8, the image: bright cytoplasm, dark membranes.
        neurons: Unsigned, ids 1..N; 0 is membrane and extracellular space. Each id is one 6-connected component.
        mitochondria: Unsigned, ids 1..M; 0 elsewhere. Each lies in a single neuron.
        voxel_size_nm: Along (z, y, x).
    """

    raw: npt.NDArray[np.uint8]
    neurons: LabelArray
    mitochondria: LabelArray
    voxel_size_nm: VoxelSize


def make_phantom(
    shape: Sequence[int] = (64, 256, 256), voxel_size_nm: Sequence[float] = (30, 6, 6), seed: int = 0
) -> Phantom:
    """Return synthetic neural tissue as serial-section or FIB-SEM electron microscopy would show it.

    Features are sized in nm. The same arguments give the same voxels, whatever the number of threads.

    Args:
        shape: Voxels along (z, y, x).
        voxel_size_nm: Size of a voxel along (z, y, x).
        seed: Seed of the random tissue.

    Returns:
        The image with its neurons and mitochondria.

    Raises:
        InputError: if the shape, the voxel size or the seed is invalid.
    """
    volume = check_whole_triple(shape, "the shape in voxels")
    if any(size < least for size, least in zip(volume, SMALLEST_SHAPE, strict=True)):
        raise InputError(f"the shape must be at least {SMALLEST_SHAPE}, got {volume}")
    voxel_size = check_triple(voxel_size_nm, "the voxel size in nm")
    rng = np.random.default_rng(check_whole_number(seed, 0, "the seed"))
    paths = grow_neurites(rng, np.multiply(volume, voxel_size))
    tubes = capsules_of(paths)
    organelles = make_organelles(rng, paths, tubes)
    shades = Shades.random(rng, 1 + max(path.neurite for path in paths))
    tissue = Tissue.place(tubes, organelles, shades, Deformation.random(rng))
    raw, neurites, chains = _image(rng, tissue, volume, voxel_size)
    neurons = _relabel(neurites, _FEWEST_VOXELS)
    mitochondria = _relabel(np.where(neurons > 0, chains, 0), 1)
    return Phantom(raw, neurons, mitochondria, voxel_size)


def _image(
    rng: np.random.Generator, tissue: Tissue, shape: Shape3, voxel_size_nm: VoxelSize
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the image, and the neurite and mitochondrion of each voxel: their indices plus 1, or 0 for none."""
    raw = np.empty(shape, np.uint8)
    neurites, chains = np.empty(shape, np.int32), np.empty(shape, np.int32)
    thickness, *pixel = voxel_size_nm
    pixel_nm = (pixel[0], pixel[1])
    microscope = Microscope(rng, thickness, pixel_nm)
    # An odd number of cuts, so that one lies in the middle of the section and gives its labels.
    cuts = 2 * int(np.ceil((thickness / _THICKEST_CUT_NM - 1) / 2)) + 1
    half_membrane = max(_HALF_MEMBRANE_NM, 0.5 * max(pixel_nm))
    for section in range(shape[0]):
        jitter = rng.normal(0, _JITTER_NM, 2) if thickness >= _SERIAL_SECTION_NM else np.zeros(2)
        brightness = np.zeros(shape[1] * shape[2], np.float32)
        for number in range(cuts):
            z_nm = (section + (number + 0.5) / cuts) * thickness
            plane = _plane(tissue, z_nm, pixel_nm, shape[1:], jitter)
            thin = cut(tissue, plane, thickness / cuts)
            brightness += thin.brightness / cuts
            if number == cuts // 2:
                inside = (thin.cells.margin_nm >= half_membrane) & (thin.cells.owner != NOBODY)
                neurites[section] = np.where(inside, thin.cells.owner + 1, 0).reshape(shape[1:])
                chains[section] = np.where(inside, thin.mitochondrion + 1, 0).reshape(shape[1:])
        raw[section] = microscope.image(brightness.reshape(shape[1:]))
    return raw, neurites, chains


def _plane(
    tissue: Tissue,
    z_nm: float,
    pixel_nm: tuple[float, float],
    shape: tuple[int, int],
    jitter_nm: npt.NDArray[np.float64],
) -> Plane:
    """Return the plane of the volume at a depth, shifted in-plane by `jitter_nm`."""
    y, x = ((np.arange(size) + 0.5) * pixel for size, pixel in zip(shape, pixel_nm, strict=True))
    grid = np.meshgrid([z_nm], y + jitter_nm[0], x + jitter_nm[1], indexing="ij")
    points = np.stack(grid, axis=-1).reshape(-1, 3).astype(np.float32)
    return Plane(z_nm, pixel_nm, shape, tissue.deformation.to_tissue(points))


def _relabel(labels: npt.NDArray[np.int32], fewest_voxels: int) -> LabelArray:
    """Number the 6-connected components of equal label 1..N, in the smallest unsigned dtype; small ones become 0."""
    pieces = connected_components(labels, background=0, connectivity=1)
    sizes = np.bincount(pieces.ravel())
    keep = sizes >= fewest_voxels
    keep[0] = False
    ids = np.where(keep, np.cumsum(keep), 0)
    return np.asarray(ids.astype(np.min_scalar_type(int(ids.max())))[pieces])
