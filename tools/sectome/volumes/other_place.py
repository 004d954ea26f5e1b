"""What goes wrong in silence when two volumes are taken for one place: overwritten inputs, voxels that do not meet."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Protocol

import numpy as np

from sectome.checks import InputError, check_writable
from sectome.geometry import PointNm, rounded
from sectome.types import VoxelSize
from sectome.volumes.formats import locate_output


class Placed(Protocol):
    """Voxels that lie somewhere, as far as a file says it."""

    @property
    def voxel_size_nm(self) -> VoxelSize | None:
        """Edge lengths along (z, y, x) in nm."""
        ...

    @property
    def offset_nm(self) -> PointNm:
        """Of the first voxel along (z, y, x); 0 if the file says nothing."""
        ...


def check_output(output: str, source: str) -> None:
    """Check the name of a volume before the work whose result it takes.

    Args:
        output: name of the volume to write, as `locate_output` takes it.
        source: path of a file or folder that is read.

    Raises:
        InputError: as `locate_output`, or if it is what is read, the output's folder cannot be written, or what exists
            there holds something else.
    """
    place, dataset, known = locate_output(output)
    if isinstance(place, Path):
        read = Path(os.path.realpath(source))
        if Path(os.path.realpath(place)) in (read, *read.parents):
            raise InputError(f"output must be another place than what is read, got {output} for both")
        check_writable(place.parent, "the folder of the output")
    known.check_output(place, dataset)


def warn_of_other_place(first: Placed, second: Placed, names: str) -> None:
    """Warn if two volumes of one shape have voxels of other sizes, or lie elsewhere.

    Args:
        first: one volume; what it does not say cannot differ.
        second: the other.
        names: of both, for the warning.
    """
    size, other_size = first.voxel_size_nm, second.voxel_size_nm
    if size and other_size and not np.allclose(size, other_size, rtol=0.01):
        _warn(f"{names} have voxels of {rounded(size)} and {rounded(other_size)} nm")
    offset, other_offset = first.offset_nm, second.offset_nm
    if any(offset) and any(other_offset) and not np.allclose(offset, other_offset, rtol=0, atol=1):
        _warn(f"{names} begin at {rounded(offset)} and {rounded(other_offset)} nm")


def _warn(difference: str) -> None:
    warnings.warn(f"{difference} along (z, y, x): they are compared voxel by voxel", UserWarning, stacklevel=3)
