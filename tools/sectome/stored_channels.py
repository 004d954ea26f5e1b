"""The common base of affinities and other maps on disk: an array (K, Z, Y, X) that is read box by box."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.fingerprint import fingerprint
from sectome.geometry import PointNm
from sectome.types import Array, Shape3, VoxelSize
from sectome.volumes.tensorstore_process import open_zarr


class StoredChannels:
    """Channels (K, Z, Y, X) of a .zarr folder or an .npy file; can be pickled, and each process opens the file anew.

    Args:
        path: absolute path of the folder or the file.
        said: description of the channels, in plain values.
        voxel_size_nm: voxel size (z, y, x).
        offset_nm: position of the first voxel (z, y, x).

    Attributes:
        shape: voxels (Z, Y, X).
        dtype: uint8, where 255 stands for 1, or a float type.
    """

    def __init__(self, path: Path, said: dict[str, Any], voxel_size_nm: VoxelSize, offset_nm: PointNm) -> None:
        self.path = path
        self.said = said
        self.voxel_size_nm = voxel_size_nm
        self.offset_nm = offset_nm
        self._array: Any = None
        whole = tuple(self.array.shape)
        if len(whole) != 4:
            raise InputError(f"{path} must hold an array (K, Z, Y, X), got shape {whole}")
        self.channel_count = whole[0]
        self.shape: Shape3 = whole[1:]
        self.dtype = np.dtype(self.array.dtype if isinstance(self.array, np.ndarray) else self.array.dtype.numpy_dtype)

    @property
    def array(self) -> Any:
        """The memory-mapped array of an .npy file, or the tensorstore."""
        if self._array is None:
            self._array = map_npy(self.path) if self.path.suffix == ".npy" else open_zarr(self.path)
        return self._array

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": None}

    def read(self, box: Sequence[slice], channels: Sequence[int] | None = None) -> Array:
        """Read a box (K, z, y, x) of all channels or of some."""
        wanted = slice(None) if channels is None else list(channels)
        part = self.array[(wanted, *box)]
        return np.ascontiguousarray(part if isinstance(part, np.ndarray) else part.read().result())

    def read_all(self) -> Array:
        """Read everything; an .npy file is memory-mapped instead."""
        return self.array if isinstance(self.array, np.ndarray) else np.asarray(self.array.read().result())

    def description(self) -> dict[str, Any]:
        """Return what identifies these channels, such as path, shape, voxel size and fingerprint, in plain values.

        Raises:
            InputError: if they cannot be read.
        """
        try:
            sample = fingerprint(self.shape, self.read)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path} must hold readable channels, got: {error}") from None
        return {
            "name": str(self.path),
            "shape": list(self.shape),
            "dtype": str(self.dtype),
            **self.said,
            "voxel_size_nm": list(self.voxel_size_nm),
            "offset_nm": list(self.offset_nm),
            "sample": sample,
        }


def map_npy(path: Path) -> Array:
    """Return the memory-mapped array of an .npy file.

    Raises:
        InputError: if the file is no NumPy array.
    """
    try:
        array: Array = np.load(path, mmap_mode="r")
    except ValueError as error:
        raise InputError(f"{path} must be a NumPy array, got: {error}") from None
    return array
