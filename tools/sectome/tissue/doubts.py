"""Warnings about data that raise no error but teach nothing: dubious labels, mixed voxel sizes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import ndimage

from sectome.geometry import are_alike, rounded
from sectome.tissue.tissue import Tissue
from sectome.types import Array, Box
from sectome.volumes.sampling import is_label_like, middle

LOOKED_AT = (0.25, 0.5, 0.75)
"""Sections to inspect, as fractions of the depth."""

GREATEST_WINDOW = 1024
"""Maximum number of rows and columns to inspect, in the middle of a section."""


def warn_of_doubtful_labels(tissue: Iterable[Tissue], told_apart: bool = True) -> None:
    """Warn of each volume whose labels do not separate objects; three of its sections are read.

    A mask given as labels has one id for all objects; in an image, ids change from voxel to voxel.

    Args:
        tissue: volumes; those without labels are skipped.
        told_apart: whether there must be several ids, as for neurons; a volume may hold a single mitochondrion.
    """
    for one in tissue:
        if one.label is not None and (doubt := _doubt(one, told_apart)):
            _warn(
                f"{one.name}: {doubt} in the middle of three sections; labels must have an id for each object, 0 for "
                "background (give a mask of membranes as membrane instead of label)"
            )


def warn_of_voxels(tissue: Sequence[Tissue], isotropic: bool) -> None:
    """Warn if voxel edges differ by more than a quarter from the first volume's, or between axes to be exchanged.

    Args:
        tissue: all volumes that one network is trained and validated on.
        isotropic: whether augmentation exchanges z with y and x.
    """
    first = tissue[0]
    for one in tissue:
        if not are_alike(one.voxel_size_nm, first.voxel_size_nm):
            _warn(
                f"{one.name} has voxels of {rounded(one.voxel_size_nm)} nm along (z, y, x), but {first.name} of "
                f"{rounded(first.voxel_size_nm)}: a network takes them for the same size"
            )
    z_nm, y_nm, x_nm = first.voxel_size_nm
    if isotropic and not are_alike((z_nm, z_nm, z_nm), (z_nm, y_nm, x_nm)):
        _warn(f"isotropic exchanges z with y and x, but voxels are {rounded(first.voxel_size_nm)} nm in {first.name}")


def sampled_windows(tissue: Tissue) -> list[Box]:
    """Return the middle of three sections of a volume, as boxes that count from its first voxel."""
    depth, height, width = tissue.shape
    plane = middle(height, GREATEST_WINDOW), middle(width, GREATEST_WINDOW)
    return [(slice(int(share * depth), int(share * depth) + 1), *plane) for share in LOOKED_AT]


def _doubt(tissue: Tissue, told_apart: bool) -> str | None:
    """Return what seems wrong with the labels of a volume, or None."""
    sections = [np.maximum(tissue.read_labels(box)[0].cpu().numpy(), 0) for box in sampled_windows(tissue)]
    ids = {number for section in sections for number in np.unique(section).tolist()} - {0}
    if not ids:
        return "the labels hold no object"
    if not all(map(is_label_like, sections)):
        return "the labels change from voxel to voxel, as grey values do,"
    if len(ids) == 1 and (told_apart or max(map(_parts, sections)) > 1):
        return f"all objects have the id {ids.pop()}"
    return None


def _parts(section: Array) -> int:
    return int(ndimage.label(section)[1])


def _warn(doubt: str) -> None:
    warnings.warn(doubt, UserWarning, stacklevel=3)
