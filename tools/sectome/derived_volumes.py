"""Volumes that are made from another one as they are read: thicker sections, and labels from membranes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from scipy import ndimage

from sectome.types import Array
from sectome.volumes import Volume
from sectome.volumes.indexing import split_index


class DerivedVolume(Volume):
    """A volume whose voxels follow from those of a `source`; it is sliced, pickled and described as a volume is."""

    def __init__(self, source: Volume) -> None:
        vars(self).update(source.__getstate__())
        self.source = source

    def __getitem__(self, key: Any) -> Any:
        """Return the voxels of the crop, a new array; see `Volume`."""
        (z, y, x), after = split_index(key, self.shape)
        array = self.derive(z, y, x)[after]
        return array if array.ndim else array[()]

    @abstractmethod
    def derive(self, z: slice, y: slice, x: slice) -> Array:
        """Return the voxels (Z, Y, X) of a box, given with starts, stops and positive steps."""


class EveryNthSection(DerivedVolume):
    """Sections 0, n, 2 n .. of a volume: what it would look like in sections n times as thick, without their blur."""

    def __init__(self, source: Volume, step: int) -> None:
        super().__init__(source)
        self.step = step
        depth, height, width = source.shape
        self.shape = (len(range(0, depth, step)), height, width)
        if source.voxel_size_nm is not None:
            z_nm, y_nm, x_nm = source.voxel_size_nm
            self.voxel_size_nm = (step * z_nm, y_nm, x_nm)

    def derive(self, z: slice, y: slice, x: slice) -> Array:
        """Return the voxels of the sections that are kept."""
        voxels: Array = self.source[z.start * self.step : z.stop * self.step : z.step * self.step, y, x]
        return voxels


class MembraneLabels(DerivedVolume):
    """Labels made of a mask of membranes: in each section, the parts that hang together by edges of what is none.

    An id is of one section. Where sections are so thick that neurites are not followed from one to the next, membranes
    are all that is annotated (as in ISBI 2012, doi:10.3389/fnana.2015.00142), and sections are scored by themselves.
    """

    def __init__(self, source: Volume) -> None:
        super().__init__(source)
        self.dtype = np.dtype(np.int64)

    def derive(self, z: slice, y: slice, x: slice) -> Array:
        """Return ids, 0 on membranes; whole sections are read, whose parts may hang together outside of the box."""
        _, height, width = self.shape
        numbers = range(self.shape[0])[z]
        labels = np.zeros((len(numbers), len(range(height)[y]), len(range(width)[x])), self.dtype)
        for place, number in enumerate(numbers):
            parts, _ = ndimage.label(self.source[number] == 0)
            # A section has fewer parts than pixels, so that ids of two sections differ.
            labels[place] = np.where(parts > 0, parts.astype(self.dtype) + number * height * width, 0)[y, x]
        return labels
