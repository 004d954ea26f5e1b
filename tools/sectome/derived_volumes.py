"""Volumes that are derived from another one on reading: thicker sections, labels from membranes, cubes in images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from scipy import ndimage

from sectome.types import Array, Box
from sectome.volumes import Volume
from sectome.volumes.decoded_sections import DecodedSections
from sectome.volumes.indexing import split_index


class DerivedVolume(Volume, ABC):
    """A volume whose voxels are derived from a `source`; it can be sliced, pickled and described like any volume."""

    def __init__(self, source: Volume) -> None:
        vars(self).update(source.__getstate__())
        self.source = source

    def __getitem__(self, key: Any) -> Any:
        """Return the voxels of the crop, a new array; see `Volume`."""
        (z, y, x), after = split_index(key, self.shape)
        array = self.derive(z, y, x)[after]
        return array if array.ndim else array[()]

    @property
    def affine_mm(self) -> Array:
        """Affine of the source; see `Volume`."""
        return self.source.affine_mm

    @abstractmethod
    def derive(self, z: slice, y: slice, x: slice) -> Array:
        """Return the voxels (Z, Y, X) of a box of slices with starts, stops and positive steps."""


class EveryNthSection(DerivedVolume):
    """Sections 0, n, 2n ... of a volume: like sections n times as thick, but without their blur."""

    def __init__(self, source: Volume, step: int) -> None:
        super().__init__(source)
        self.step = step
        depth, height, width = source.shape
        self.shape = (len(range(0, depth, step)), height, width)
        if source.voxel_size_nm is not None:
            z_nm, y_nm, x_nm = source.voxel_size_nm
            self.voxel_size_nm = (step * z_nm, y_nm, x_nm)

    @property
    def affine_mm(self) -> Array:
        """Affine of the source with longer steps along z; see `Volume`."""
        return self.source.affine_mm @ np.diag([1, 1, self.step, 1])

    def derive(self, z: slice, y: slice, x: slice) -> Array:
        """Return the voxels of the kept sections."""
        voxels: Array = self.source[z.start * self.step : z.stop * self.step : z.step * self.step, y, x]
        return voxels


class MembraneLabels(DerivedVolume):
    """Labels from a mask of membranes: in each section, the connected components (by edges) of all other pixels.

    Ids differ between sections. Where sections are too thick to follow neurites from one to the next, only membranes
    are annotated (as in ISBI 2012, doi:10.3389/fnana.2015.00142), and each section is scored separately.
    """

    def __init__(self, source: Volume) -> None:
        super().__init__(source)
        self.dtype = np.dtype(np.int64)
        self._parts = DecodedSections(self._parts_of, self.shape, np.dtype(np.int32))

    def derive(self, z: slice, y: slice, x: slice) -> Array:
        """Return ids, 0 on membranes; whole sections are read, because parts may be connected outside the box."""
        depth, height, width = self.shape
        labels = self._parts.read(z, y, x).astype(self.dtype)
        # A section has fewer components than pixels, so that ids of two sections differ.
        first = np.array(range(depth)[z])[:, None, None] * height * width
        return np.add(labels, first, out=labels, where=labels > 0)

    def _parts_of(self, number: int) -> Array:
        parts, _ = ndimage.label(self.source[number] == 0)
        return np.asarray(parts, np.int32)


class PlacedInside(DerivedVolume):
    """A volume placed in a larger one by the offsets in both files, such as a labelled cube in a large image.

    Args:
        source: the smaller volume.
        image: the larger volume.
        box: where the smaller volume lies in the larger one; see `box_within`.
        outside: value outside the smaller volume; -1 becomes the greatest value of uint64.
    """

    def __init__(self, source: Volume, image: Volume, box: Box, outside: int) -> None:
        super().__init__(source)
        self.image = image
        self.box = box
        self.shape, self.offset_nm = image.shape, image.offset_nm
        narrow = outside < 0 and source.dtype.kind == "u" and source.dtype.itemsize < 8
        self.dtype = np.dtype(np.int64) if narrow else source.dtype
        self.outside = np.array(outside).astype(self.dtype)

    @property
    def affine_mm(self) -> Array:
        """Affine of the larger volume; see `Volume`."""
        return self.image.affine_mm

    def derive(self, z: slice, y: slice, x: slice) -> Array:
        """Return the voxels of the smaller volume, with `outside` around them."""
        asked = [range(extent)[part] for extent, part in zip(self.shape, (z, y, x), strict=True)]
        voxels = np.full([len(numbers) for numbers in asked], self.outside, self.dtype)
        into, out_of = [], []
        for numbers, own in zip(asked, self.box, strict=True):
            inside = [place for place, number in enumerate(numbers) if own.start <= number < own.stop]
            if not inside:
                return voxels
            into.append(slice(inside[0], inside[-1] + 1))
            out_of.append(slice(numbers[inside[0]] - own.start, numbers[inside[-1]] - own.start + 1, numbers.step))
        voxels[tuple(into)] = self.source[tuple(out_of)]
        return voxels
