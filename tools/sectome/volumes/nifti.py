"""NIfTI; its axis order (X, Y, Z) is confined to this module."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from sectome.checks import InputError
from sectome.geometry import (
    GREATEST_NM,
    LEAST_NM,
    NM_IN_MM,
    ORIGIN,
    Placement,
    PointNm,
    as_point,
    as_voxel_size,
    unit_in_nm,
)
from sectome.replace import replacing
from sectome.types import Array
from sectome.unfinished import Unfinished
from sectome.volumes.blocks import Source, iterate_sections
from sectome.volumes.reader import Reader, check_number_type, check_three_axes

_NO_EXTENSIONS = bytes(4)
_FLOAT32_DIGITS = 7


class NiftiReader(Reader):
    """A NIfTI volume in its stored order, transposed to (Z, Y, X).

    The voxel size comes from the zooms, the offset from the affine's translation if the affine neither rotates nor
    mirrors. Zooms without a unit are taken as mm, with a warning, if that gives a plausible voxel size.

    Attributes:
        affine_mm: (4, 4) affine in mm.
        orientation: directions of z, y and x, such as "SAR"; empty for an image without an affine.

    A `.nii` is read by box. A `.nii.gz` is one stream without random access and stays in memory after the first read.
    """

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        image: Any = nibabel.load(path)
        header = image.header
        stored = tuple(int(extent) for extent in image.shape)
        # Many tools write a plain volume with a time axis of length one.
        self._trailing = len(stored) - 3 if len(stored) > 3 and set(stored[3:]) == {1} else 0
        self.shape = check_three_axes(stored[: len(stored) - self._trailing][::-1], str(path))
        # nibabel resets the slope in the header that it returns; the file's slope is in `dataobj`.
        is_scaled = (image.dataobj.slope, image.dataobj.inter) != (1, 0)
        self.dtype = np.dtype(np.float32) if is_scaled else check_number_type(header.get_data_dtype(), str(path))
        self.placement = _placement(image, path)
        # A NIfTI without a unit is in mm, as it is for programs that ignore units.
        scale = (unit_in_nm(header.get_xyzt_units()[0]) or NM_IN_MM) / NM_IN_MM
        self.affine_mm = np.diag([scale, scale, scale, 1.0]) @ image.affine
        has_affine = header["sform_code"] or header["qform_code"]
        self.orientation = "".join(map(str, nibabel.aff2axcodes(image.affine)[::-1])) if has_affine else ""
        self._voxels = image.dataobj
        self._is_compressed = path.name.lower().endswith(".gz")
        self._loaded: Array | None = None
        if not self._is_compressed:
            end = int(self._voxels.offset) + int(np.prod(stored)) * header.get_data_dtype().itemsize
            if end > (found := path.stat().st_size):
                raise InputError(f"expected a complete NIfTI of {end} bytes, got {found} in {path}")

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X)."""
        last = (0,) * self._trailing
        if not self._is_compressed:
            return self._typed(self._voxels[(x, y, z, *last)])
        if self._loaded is None:
            self._loaded = self._typed(self._voxels[(slice(None),) * 3 + last])
            self._loaded.flags.writeable = False
        return self._loaded[z, y, x]

    def _typed(self, stored: Array) -> Array:
        return np.asarray(stored).T.astype(self.dtype, copy=False)


def write_nifti(path: Path, dataset: str | None, source: Source, placement: Placement, progress: Unfinished) -> None:
    """Write NIfTI-1 section by section: x varies fastest, as it does in (Z, Y, X).

    Raises:
        InputError: If NIfTI cannot hold the type or an axis is longer than 32767.
    """
    z, y, x = source.shape
    header = nibabel.Nifti1Header()
    try:
        header.set_data_dtype(source.dtype)
        header.set_data_shape((x, y, z))
    except nibabel.spatialimages.HeaderDataError as error:
        raise InputError(f"expected a volume that NIfTI can hold, got {source.dtype} {(z, y, x)}: {error}") from error
    header["vox_offset"] = len(header.binaryblock) + len(_NO_EXTENSIONS)
    if placement.voxel_size_nm is not None:
        zooms = [length / NM_IN_MM for length in reversed(placement.voxel_size_nm)]
        header.set_zooms(zooms)
        header.set_xyzt_units("mm")
        affine = np.diag([*zooms, 1.0])
        affine[:3, 3] = [position / NM_IN_MM for position in reversed(placement.offset_nm)]
        header.set_sform(affine, code="scanner")
    elif any(placement.offset_nm):
        warnings.warn(
            f"{path.name} cannot hold the offset {placement.offset_nm} nm without a voxel size",
            UserWarning,
            stacklevel=3,
        )
    with replacing(path, unfinished=progress.output) as partial:
        compressed = path.name.lower().endswith(".gz")
        with gzip.open(partial, "wb", compresslevel=1) if compressed else open(partial, "wb") as file:
            file.write(header.binaryblock + _NO_EXTENSIONS)
            for section in iterate_sections(source):
                file.write(section.tobytes())


def _placement(image: Any, path: Path) -> Placement:
    """Return voxel size and offset in nm."""
    zooms = [float(zoom) for zoom in image.header.get_zooms()[:3]][::-1]
    unit = image.header.get_xyzt_units()[0]
    nm = unit_in_nm(unit)
    if nm is None:
        written = ", ".join(f"{zoom:g}" for zoom in zooms)
        if not all(LEAST_NM <= zoom * NM_IN_MM <= GREATEST_NM for zoom in zooms):
            return Placement(why_no_size=f"its voxel size {written} along (z, y, x) has no unit and cannot be in mm")
        nm = NM_IN_MM
        warnings.warn(
            f"{path.name} gives voxels of {written} along (z, y, x) without a unit: they are taken as mm",
            UserWarning,
            stacklevel=2,
        )
    return Placement(as_voxel_size(zooms, nm), _offset(image, nm))


def _offset(image: Any, nm: float | None) -> PointNm:
    """Return the affine's translation as a point (z, y, x) in nm; the origin unless the affine only scales."""
    header = image.header
    if not (header["sform_code"] or header["qform_code"]):
        return ORIGIN
    turn = image.affine[:3, :3]
    if not (np.diag(turn) > 0).all() or not np.allclose(turn, np.diag(np.diag(turn)), atol=1e-6 * np.abs(turn).max()):
        return ORIGIN
    return as_point([float(position) for position in image.affine[2::-1, 3]], nm, digits=_FLOAT32_DIGITS)
