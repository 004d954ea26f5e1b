"""What goes wrong in silence when two volumes are taken for one place: overwritten inputs, voxels that do not meet."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Protocol

import numpy as np

from sectome.checks import InputError
from sectome.geometry import PointNm
from sectome.types import VoxelSize


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


def check_keeps_input(output: str, source: str) -> None:
    """Raise an `InputError` if writing a volume would replace what it is made from.

    Args:
        output: name of the volume to write, with or without a dataset.
        source: path of a file or folder that is read.
    """
    written, read = (Path(os.path.realpath(os.fspath(path))) for path in (str(output).partition(":")[0], source))
    if written == read or written in read.parents:
        raise InputError(f"output must be another place than what is read, got {output} for both")


def warn_of_other_place(first: Placed, second: Placed, names: str) -> None:
    """Warn if two volumes of one shape have voxels of other sizes, or lie elsewhere.

    Args:
        first: one volume; what it does not say cannot differ.
        second: the other.
        names: of both, for the warning.
    """
    size, other_size = first.voxel_size_nm, second.voxel_size_nm
    if size and other_size and not np.allclose(size, other_size, rtol=0.01):
        _warn(f"{names} have voxels of {_written(size)} and {_written(other_size)} nm")
    if any(first.offset_nm) and any(second.offset_nm) and not np.allclose(first.offset_nm, second.offset_nm, atol=1):
        _warn(f"{names} begin at {_written(first.offset_nm)} and {_written(second.offset_nm)} nm")


def _warn(difference: str) -> None:
    warnings.warn(f"{difference} along (z, y, x): they are compared voxel by voxel", UserWarning, stacklevel=3)


def _written(triple: VoxelSize | PointNm) -> tuple[float, ...]:
    return tuple(float(f"{number:g}") for number in triple)
