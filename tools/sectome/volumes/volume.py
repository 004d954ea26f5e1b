"""A volume on disk, opened lazily and read by crop."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError, check_triple
from sectome.geometry import NM_IN_MM, PointNm
from sectome.types import Array, Shape3, VoxelSize
from sectome.volumes.cache_size import CACHE_VARIABLE, cache_bytes
from sectome.volumes.formats import Location, locate_existing
from sectome.volumes.indexing import split_index
from sectome.volumes.levels import Level, choose_level
from sectome.volumes.reader import Reader, readable
from sectome.volumes.sampling import looks_like_labels


class Volume:
    """Voxels (Z, Y, X) in a file; slicing reads only what it needs and returns a new numpy array.

    `volume[z, y, x]` takes integers and slices as numpy does; `np.asarray(volume)` reads everything. A volume can be
    pickled and used after a fork: each process opens the file itself when it first reads. For zarr, N5 and precomputed
    this has a limit; see `sectome.volumes.tensorstore_process`.

    Attributes:
        name: The path as the user gave it, dataset included.
        path: The file or folder; on a server, the address as a `Path`, good for its `name` only.
        dataset: The dataset inside the container, named by the user or chosen as a level, or None.
        shape: Voxels along (z, y, x).
        dtype: Type of the voxels, in native byte order.
        voxel_size_nm: Edge lengths along (z, y, x) in nm, None if neither the file nor the user gave them.
        offset_nm: Position of the first voxel along (z, y, x) in nm; 0 if the file gives none.
        orientation: Directions of z, y and x in a NIfTI, such as "SAR" (superior, anterior, right); else empty.
        levels: The available resolutions if the path names a pyramid, in the file's order; else empty.
    """

    ndim = 3

    def __init__(
        self,
        name: str,
        location: Location,
        voxel_size_nm: VoxelSize | None = None,
        levels: tuple[Level, ...] = (),
    ) -> None:
        self.name = name
        self.levels = levels
        self._location = location
        reader = self._open()
        self.shape: Shape3 = reader.shape
        self.dtype: np.dtype[Any] = reader.dtype
        self.stored_voxel_size_nm = reader.placement.voxel_size_nm
        self.voxel_size_nm = voxel_size_nm or self.stored_voxel_size_nm
        self.offset_nm: PointNm = reader.placement.offset_nm
        self.orientation = reader.orientation
        self.why_no_size = reader.placement.why_no_size

    @property
    def affine_mm(self) -> Array:
        """(4, 4) float64 affine from a voxel (x, y, z, 1) to its position in mm, as in medical images.

        For NIfTI it is the file's own, which may rotate and mirror; for others it is made from voxel size and offset.
        """
        if (own := self._open().affine_mm) is not None:
            return own
        affine = np.diag([*(edge / NM_IN_MM for edge in reversed(self.voxel_size_nm or (NM_IN_MM,) * 3)), 1.0])
        affine[:3, 3] = [position / NM_IN_MM for position in reversed(self.offset_nm)]
        return affine

    @property
    def path(self) -> Path:
        """The file or folder, absolute."""
        return Path(str(self._location.path))

    @property
    def dataset(self) -> str | None:
        """The dataset inside the container, or None."""
        return self._location.dataset

    @property
    def size(self) -> int:
        """Number of voxels."""
        z, y, x = self.shape
        return z * y * x

    @property
    def nbytes(self) -> int:
        """Bytes that the whole volume takes in memory."""
        return self.size * self.dtype.itemsize

    @property
    def decodes_sections(self) -> bool:
        """Whether reading part of a section costs as much as reading all of it, as in compressed images."""
        return self._open().decodes_sections

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Volume({self.name!r}, shape={self.shape}, dtype={self.dtype}, voxel_size_nm={self.voxel_size_nm})"

    def __getitem__(self, key: Any) -> Any:
        """Return the voxels of the crop, a new array that the caller may change.

        Raises:
            IndexError: If the key holds anything but integers and slices, or an integer lies outside the volume.
            InputError: If the file turns out to be damaged.
        """
        box, after = split_index(key, self.shape)
        if any(part.start == part.stop for part in box):
            extents = [len(range(part.start, part.stop, part.step)) for part in box]
            return np.empty(extents, dtype=self.dtype)[after]
        with readable(self._location.path, self._location.format.name):
            voxels = self._open().read(*box)
        array = np.require(np.asarray(voxels)[after], dtype=self.dtype, requirements=["C", "W"])
        return array if array.ndim else array[()]

    def at_level(self, level: Level) -> Volume:
        """Return the volume at a resolution of `levels`."""
        return Volume(f"{self.path}:{level.dataset}", self._location._replace(dataset=level.dataset))

    def looks_like_labels(self) -> bool:
        """Return whether five sections look like labels in their middle: integers that rarely change along x."""
        with readable(self._location.path, self._location.format.name):
            return looks_like_labels(self._open())

    def keep_chunks_of(self, box: Shape3) -> None:
        """Limit what this process caches from now on to the chunks that a box of this size can touch.

        Meant for boxes that are read in order and only once. Formats without a cache are unaffected.

        Args:
            box: Voxels along (z, y, x).
        """
        with readable(self._location.path, self._location.format.name):
            self._open().keep_chunks_of(box)

    def warn_of_decoding(self, sections: int) -> None:
        """Warn if crops of this many sections will decode whole sections repeatedly because the cache is too small."""
        needed = self.nbytes // len(self) * sections
        if self.decodes_sections and needed > (kept := cache_bytes()):
            warnings.warn(
                f"{self.name} is compressed section by section: crops read {needed / 2**20:.0f} MiB of sections and "
                f"{kept / 2**20:.0f} MiB are cached ({CACHE_VARIABLE}), so most crops decode whole sections, which is "
                "slow; sectome convert makes a .zarr of it",
                UserWarning,
                stacklevel=3,
            )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("copy must be None or True, got copy=False: a volume's voxels are on disk")
        voxels: Array = self[...]
        return voxels if dtype is None else voxels.astype(dtype, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_reader", "_process")}

    def _open(self) -> Reader:
        """Return this process's reader: file handles must not be shared with the parent after a fork."""
        if self.__dict__.get("_process") != os.getpid():
            # Within a process HDF5 shares one file between handles, so drop the inherited handle before opening a new
            # one.
            self._reader: Reader | None = None
            with readable(self._location.path, self._location.format.name):
                self._reader = self._location.format.open(self._location.path, self._location.dataset)
            self._process = os.getpid()
        assert self._reader is not None
        return self._reader


def open_volume(
    path: str | os.PathLike[str],
    *,
    voxel_size_nm: Sequence[float] | None = None,
    near_voxel_size_nm: Sequence[float] | None = None,
) -> Volume:
    """Open a volume without reading its voxels.

    Args:
        path: A file whose suffix names the format, a folder of numbered sections, a container with a dataset after a
            colon (`vol.h5:volumes/raw`), `precomputed://` and a folder or address, or the address of zarr, N5 or
            precomputed on a server (`s3://`, `gs://`, `https://`). For a local container with one 3D dataset, the
            dataset may be omitted.
        voxel_size_nm: Edge lengths of a voxel along (z, y, x) in nm. Needed if the file gives none. Overrides a
            different size in the file, with a `UserWarning`.
        near_voxel_size_nm: Voxel size along (z, y, x) in nm; of a pyramid, the level nearest to it is opened, by
            default the finest. It has no effect on a single resolution, with a `UserWarning`.

    Raises:
        InputError: If there is no such volume, it is damaged or does not have three axes, or a voxel size is not three
            positive numbers.
    """
    given = None if voxel_size_nm is None else check_triple(voxel_size_nm, "voxel_size_nm")
    near = None if near_voxel_size_nm is None else check_triple(near_voxel_size_nm, "near_voxel_size_nm")
    name, location = os.fspath(path), locate_existing(path)
    with readable(location.path, location.format.name):
        levels = location.format.find_levels(location.path, location.dataset)
    if levels:
        location = location._replace(dataset=choose_level(levels, near, name).dataset)
    if near is not None and len(levels) < 2:
        warnings.warn(f"near_voxel_size_nm changes nothing: {name} has one resolution", UserWarning, stacklevel=2)
    volume = Volume(name, location, given, levels)
    if _says_other_size(volume, given):
        warnings.warn(
            f"using the given voxel size {given} nm; {volume.name} says {volume.stored_voxel_size_nm} nm",
            UserWarning,
            stacklevel=2,
        )
    return volume


def open_with_default_size(
    path: str | os.PathLike[str],
    default_size_nm: Sequence[float] | None = None,
    near_voxel_size_nm: Sequence[float] | None = None,
) -> Volume:
    """Open a volume, using the given voxel size only if its file has none: one setting for many files.

    Args:
        path: see `open_volume`.
        default_size_nm: voxel size along (z, y, x) in nm for files without one; None leaves it unset. A file with a
            different size keeps its own, with a `UserWarning`.
        near_voxel_size_nm: see `open_volume`.

    Raises:
        InputError: as `open_volume`, or if the default is invalid.
    """
    default = None if default_size_nm is None else check_triple(default_size_nm, "voxel_size_nm")
    volume = open_volume(path, near_voxel_size_nm=near_voxel_size_nm)
    if _says_other_size(volume, default):
        warnings.warn(
            f"voxel_size_nm {default} changes nothing: {volume.name} says {volume.stored_voxel_size_nm} nm, and "
            "sectome convert can give it another",
            UserWarning,
            stacklevel=2,
        )
    volume.voxel_size_nm = volume.voxel_size_nm or default
    return volume


def _says_other_size(volume: Volume, size_nm: VoxelSize | None) -> bool:
    stored = volume.stored_voxel_size_nm
    return size_nm is not None and stored is not None and not np.allclose(size_nm, stored, rtol=1e-3, atol=0)


def require_voxel_size(volume: Volume) -> VoxelSize:
    """Return the volume's voxel size in nm along (z, y, x), or raise an `InputError` if it has none."""
    if volume.voxel_size_nm is None:
        reason = f" ({volume.why_no_size})" if volume.why_no_size else ""
        raise InputError(f"no voxel size in {volume.name}{reason}: give --voxel_size_nm z,y,x in nm")
    return volume.voxel_size_nm
