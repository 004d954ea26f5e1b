"""Whether two volumes lie at the same place, to prevent silent errors: overwritten inputs, mismatched voxels."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Protocol

import numpy as np

from sectome.checks import InputError, check_writable
from sectome.geometry import PointNm, rounded
from sectome.types import Box, VoxelSize
from sectome.volumes.formats import locate_output


class Placed(Protocol):
    """Voxels with a position, as far as the file gives one."""

    @property
    def name(self) -> str:
        """The file's path as the user gave it."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along (z, y, x)."""
        ...

    @property
    def voxel_size_nm(self) -> VoxelSize | None:
        """Edge lengths along (z, y, x) in nm."""
        ...

    @property
    def offset_nm(self) -> PointNm:
        """Position of the first voxel along (z, y, x) in nm; 0 if the file gives none."""
        ...


def check_output(output: str, source: str) -> None:
    """Check the name of an output volume before starting the work.

    Args:
        output: name of the volume to write, see `locate_output`.
        source: path of a file or folder that will be read.

    Raises:
        InputError: as `locate_output`, or if the output is or contains the input, its folder cannot be written to, or
            what exists there holds something else.
    """
    place, dataset, known = locate_output(output)
    if isinstance(place, Path):
        read = Path(os.path.realpath(source))
        if Path(os.path.realpath(place)) in (read, *read.parents):
            raise InputError(f"output must be a different place from the input, got {output} for both")
        check_writable(place.parent, "the folder of the output")
    known.check_output(place, dataset)


def box_within(outer: Placed, inner: Placed, kind: str) -> Box | None:
    """Return where a volume lies in a larger one according to their offsets; None if they have one shape.

    Args:
        outer: the larger volume.
        inner: the smaller volume.
        kind: what the smaller volume is, for messages.

    Raises:
        InputError: if the shapes differ and the smaller volume has no offset or does not lie inside the larger one.
    """
    names = f"{outer.name} and its {kind} {inner.name}"
    ways = [getattr(volume, "orientation", "") for volume in (outer, inner)]
    if all(ways) and ways[0] != ways[1]:
        _warn(f"{names} have axes that go to {ways[0]} and {ways[1]}")
    if inner.shape == outer.shape:
        warn_of_other_place(outer, inner, names)
        return None
    if any(inner.offset_nm):
        return place_inside(outer, inner)
    raise InputError(
        f"the {kind} {inner.name} must have the shape of {outer.name}, {outer.shape}, or an offset that places it "
        f"there, got {inner.shape}"
    )


def place_inside(outer: Placed, inner: Placed) -> Box:
    """Return where a volume lies in a larger one according to their offsets.

    Raises:
        InputError: if it does not lie inside, at whole voxels of the same size.
    """
    if inner.voxel_size_nm is None or outer.voxel_size_nm is None:
        raise InputError(
            f"{inner.name} and {outer.name} must both have a voxel size, so that one can be placed inside the other"
        )
    edges = np.array(outer.voxel_size_nm)
    start = (np.array(inner.offset_nm) - np.array(outer.offset_nm)) / edges
    first = np.rint(start).astype(int)
    if (
        not np.allclose(inner.voxel_size_nm, edges, rtol=0.01)
        or not np.allclose(start, first, rtol=0, atol=0.1)
        or (first < 0).any()
        or (first + inner.shape > outer.shape).any()
    ):
        raise InputError(
            f"expected {inner.name} to lie within {outer.name} at whole voxels, got {inner.shape} voxels of "
            f"{rounded(inner.voxel_size_nm)} nm at offset {rounded(inner.offset_nm)} nm, in {outer.shape} voxels of "
            f"{rounded(outer.voxel_size_nm)} nm at offset {rounded(outer.offset_nm)} nm"
        )
    z, y, x = (slice(int(at), int(at) + extent) for at, extent in zip(first, inner.shape, strict=True))
    return z, y, x


def warn_of_other_place(first: Placed, second: Placed, names: str) -> None:
    """Warn if two volumes of one shape differ in voxel size or offset.

    Args:
        first: one volume; what either of them lacks is not compared.
        second: the other.
        names: names of both, for the warning.
    """
    size, other_size = first.voxel_size_nm, second.voxel_size_nm
    if size and other_size and not np.allclose(size, other_size, rtol=0.01):
        _warn(f"{names} have voxels of {rounded(size)} and {rounded(other_size)} nm")
    offset, other_offset = first.offset_nm, second.offset_nm
    if any(offset) and any(other_offset) and not np.allclose(offset, other_offset, rtol=0, atol=1):
        _warn(f"{names} begin at {rounded(offset)} and {rounded(other_offset)} nm")


def _warn(difference: str) -> None:
    warnings.warn(f"{difference} along (z, y, x): they are compared voxel by voxel", UserWarning, stacklevel=3)
