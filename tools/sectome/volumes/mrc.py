"""MRC2014 maps and tomograms, memory-mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

from sectome.checks import InputError
from sectome.geometry import Placement, as_point, as_voxel_size
from sectome.replace import replacing
from sectome.types import Array
from sectome.unfinished import Unfinished
from sectome.volumes.blocks import Source, iterate_sections
from sectome.volumes.reader import Reader, check_number_type, check_three_axes

_NM_IN_ANGSTROM = 0.1
_FLOAT32_DIGITS = 7
_HEADER_BYTES = 1024
_MODES = {"int8": 0, "uint8": 0, "int16": 1, "float32": 2, "uint16": 6, "float16": 12}

# IMOD's own fields, from byte 40 of the header's second free part: a stamp, and flags. One flag means that bytes are
# signed, another that the origin is as in MRC2014. MRC2014 itself has no unsigned byte.
_IMOD_AT = 40
_IMOD_STAMP = 1146047817
_SIGNED_BYTES = 1
_ORIGIN_AS_IN_MRC2014 = 4
_MRC2014 = 20140


class MrcReader(Reader):
    """A map (Z, Y, X); a single image is a volume of one section. The header's origin is the offset."""

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        with mrcfile.open(path, header_only=True) as file:
            header = file.header.copy()
        axes = tuple(int(header[name]) for name in ("mapc", "mapr", "maps"))
        if axes not in ((1, 2, 3), (0, 0, 0)):
            raise InputError(f"expected columns, rows and sections along x, y and z (1, 2, 3), got {axes} in {path}")
        shape = mrcfile.utils.data_shape_from_header(header)
        stored = mrcfile.utils.data_dtype_from_header(header)
        if stored == np.int8 and _has_unsigned_bytes(header):
            stored = np.dtype(np.uint8)
        self.shape = check_three_axes(shape if len(shape) != 2 else (1, *shape), str(path))
        self.dtype = check_number_type(stored, str(path))
        cell = [float(header["cella"][axis]) for axis in "zyx"]
        count = [max(int(header[name]), 1) for name in ("mz", "my", "mx")]
        sign = -1 if _has_imods_own_origin(header) else 1
        self.placement = Placement(
            as_voxel_size([length / voxels for length, voxels in zip(cell, count, strict=True)], _NM_IN_ANGSTROM),
            as_point([sign * float(header["origin"][axis]) for axis in "zyx"], _NM_IN_ANGSTROM, digits=_FLOAT32_DIGITS),
        )
        start = _HEADER_BYTES + int(header["nsymbt"])
        end = start + int(np.prod(self.shape, dtype=np.int64)) * stored.itemsize
        if end > (size := path.stat().st_size):
            raise InputError(f"expected a complete MRC of {end} bytes, got {size} in {path}")
        self._mapped: Array = np.memmap(path, dtype=stored, mode="r", offset=start, shape=self.shape)

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X)."""
        return self._mapped[z, y, x]


def write_mrc(path: Path, dataset: str | None, source: Source, placement: Placement, progress: Unfinished) -> None:
    """Write a map section by section; IMOD's flag says whether bytes are signed.

    Raises:
        InputError: If MRC cannot hold the type.
    """
    mode = _MODES.get(source.dtype.name)
    if mode is None:
        raise InputError(f"expected a type that MRC can hold ({', '.join(_MODES)}), got {source.dtype.name}")
    with replacing(path, unfinished=progress.output) as partial:
        with mrcfile.new_mmap(partial, shape=tuple(source.shape), mrc_mode=mode) as file:
            file.set_volume()
            if placement.voxel_size_nm is not None:
                file.voxel_size = tuple(length / _NM_IN_ANGSTROM for length in reversed(placement.voxel_size_nm))
            for axis, position in zip("zyx", placement.offset_nm, strict=True):
                file.header["origin"][axis] = position / _NM_IN_ANGSTROM
            if mode == 0:
                _imod_fields(file.header)[:] = _IMOD_STAMP, _SIGNED_BYTES if source.dtype == np.int8 else 0
        # Do not write through the memory map: on a full disk that kills the process.
        with partial.open("r+b") as voxels:
            voxels.seek(_HEADER_BYTES)
            for section in iterate_sections(source):
                voxels.write(section.tobytes())


def _has_unsigned_bytes(header: Any) -> bool:
    stamp, flags = _imod_fields(header)
    if stamp == _IMOD_STAMP:
        return not flags & _SIGNED_BYTES
    # Without the stamp bytes may be of either kind; a maximum above 127 shows that they are unsigned.
    return float(header["dmax"]) > np.iinfo(np.int8).max


def _has_imods_own_origin(header: Any) -> bool:
    """Return whether the origin has IMOD's old convention: the origin of space relative to the first voxel."""
    stamp, flags = _imod_fields(header)
    return bool(stamp == _IMOD_STAMP and not flags & _ORIGIN_AS_IN_MRC2014 and header["nversion"] < _MRC2014)


def _imod_fields(header: Any) -> Array:
    """Return IMOD's stamp and flags as a view into the header."""
    byte_order = header["mode"].dtype.byteorder
    free = header["extra2"].reshape(1).view(np.uint8)
    fields: Array = free[_IMOD_AT : _IMOD_AT + 8].view(np.dtype(np.int32).newbyteorder(byte_order))
    return fields
