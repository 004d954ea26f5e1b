"""The piece of tissue on which the gallery shows transforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sectome.checks import InputError, check_same_shape
from sectome.phantom import make_phantom
from sectome.report.gallery_examples import Source
from sectome.types import Array, LabelArray, Shape3, VoxelSize
from sectome.volumes import Volume, open_volume, open_with_default_size, require_voxel_size
from sectome.volumes.sampling import middle

PIECE_VOXELS = 128
"""In-plane edge of the piece in voxels; its depth is about equal in nm."""

PHANTOM_SHAPE: Shape3 = (32, PIECE_VOXELS, PIECE_VOXELS)
PHANTOM_VOXEL_SIZE_NM: VoxelSize = (32.0, 8.0, 8.0)


@dataclass(frozen=True)
class Piece:
    """A (Z, Y, X) piece of tissue, with labels if known."""

    image: Array
    labels: LabelArray | None
    mitochondria: LabelArray | None
    voxel_size_nm: VoxelSize

    def source(self, kind: Source) -> Array | None:
        """Return the input of a transform, or `None` if the piece does not have it."""
        if kind == "image":
            return self.image
        if kind == "uneven image":
            # As from a microscope that was set anew for each section, but deterministic.
            gain = 0.75 + 0.25 * np.sin(2.4 * np.arange(len(self.image)))
            return (self.image * gain[:, None, None]).astype(self.image.dtype)
        if kind == "mitochondria" and self.mitochondria is not None:
            return self.mitochondria.astype(np.int64)
        if self.labels is None:
            return None
        labels = self.labels.astype(np.int64)
        return {
            "sparse labels": np.where(labels > 0, 977 * labels + 13, labels),
            "merged labels": np.where(labels > 0, labels % 11 + 1, labels),
        }.get(kind, labels)


def phantom_piece(seed: int, shape: Sequence[int] = PHANTOM_SHAPE) -> Piece:
    """Return a piece of synthetic tissue with neurons and mitochondria."""
    phantom = make_phantom(shape, PHANTOM_VOXEL_SIZE_NM, seed)
    return Piece(phantom.raw, phantom.neurons, phantom.mitochondria, phantom.voxel_size_nm)


def middle_piece(volume: str, labels: str | None, voxel_size_nm: Sequence[float] | None) -> Piece:
    """Return the middle of a volume, square and about as deep, with its labels if a label volume is given.

    Raises:
        InputError: if a volume cannot be opened or has no voxel size, or labels differ in shape or are not integers.
    """
    image = open_with_default_size(volume, voxel_size_nm)
    size_nm = require_voxel_size(image)
    edge = min(PIECE_VOXELS, *image.shape[1:])
    depth = min(image.shape[0], PIECE_VOXELS, max(8, round(edge * size_nm[2] / size_nm[0])))
    cut = tuple(middle(extent, length) for extent, length in zip(image.shape, (depth, edge, edge), strict=True))
    grey = image[cut]
    if grey.dtype == bool:
        # NumPy has neither percentiles nor differences of booleans, the type of masks.
        grey = grey.astype(np.float32)
    return Piece(grey, None if labels is None else _read_labels(labels, image, cut), None, size_nm)


def _read_labels(path: str, image: Volume, cut: tuple[slice, ...]) -> LabelArray:
    volume = open_volume(path)
    check_same_shape(image.shape, volume.shape, f"labels {path}")
    if volume.dtype.kind not in "iu":
        raise InputError(f"labels must be integers, got {volume.dtype} in {path}")
    labels: LabelArray = volume[cut]
    return labels
