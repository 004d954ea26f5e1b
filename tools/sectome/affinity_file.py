"""Affinities on disk: a zarr array (K, Z, Y, X) that knows its offsets and its voxel size, or an .npy file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError, check_choice, check_triple
from sectome.neighbourhoods import ISOTROPIC, LONG_RANGE, NEAREST, check_offsets
from sectome.types import FloatArray, Offset, Offsets, VoxelSize
from sectome.volumes.replace import replacing
from sectome.volumes.tensorstore_process import open_store

CHUNK = (1, 32, 128, 128)
DTYPES = ("uint8", "float16", "float32")

NEIGHBOURHOODS: dict[str, Offsets] = {"nearest": NEAREST, "long_range": LONG_RANGE, "isotropic": ISOTROPIC}


@dataclass(frozen=True)
class AffinityFile:
    """Affinities (K, Z, Y, X): uint8, where 255 is 1, or floats, which may be mapped from a file."""

    affinities: np.ndarray
    offsets: tuple[Offset, ...]
    voxel_size_nm: VoxelSize


def write_affinities(
    path: str | Path, affinities: FloatArray, offsets: Offsets, voxel_size_nm: tuple[float, ...]
) -> None:
    """Write affinities in 0 to 1, (K, Z, Y, X), as uint8; the folder appears when it is complete.

    Raises:
        InputError: if the name does not end in .zarr, or there is not one channel an offset.
    """
    if affinities.ndim != 4:
        raise InputError(f"affinities must be (K, Z, Y, X), got {affinities.shape}")
    with new_affinities(path, affinities.shape, offsets, voxel_size_nm) as store:
        for channel, values in enumerate(affinities):
            store[channel].write(np.rint(values * 255).clip(0, 255).astype(np.uint8)).result()


@contextmanager
def new_affinities(
    path: str | Path,
    shape: Sequence[int],
    offsets: Offsets,
    voxel_size_nm: Sequence[float],
    *,
    chunk: Sequence[int] = CHUNK,
    dtype: str = "uint8",
    offset_nm: Sequence[float] = (0.0, 0.0, 0.0),
) -> Iterator[Any]:
    """Give a tensorstore of affinities (K, Z, Y, X) to write into; the folder appears when all is written.

    Args:
        path: a .zarr folder; affinities that are there are replaced at the end.
        shape: (K, Z, Y, X), one channel an offset.
        offsets: (z, y, x) steps.
        voxel_size_nm: (z, y, x).
        chunk: what is stored together, (K, Z, Y, X).
        dtype: "uint8", where 255 is 1, "float16" or "float32".
        offset_nm: where the first voxel lies along (z, y, x).

    Raises:
        InputError: if the name does not end in .zarr, something else is there, or there is not one channel an offset.
    """
    path, steps = Path(path), check_offsets(offsets)
    if path.suffix != ".zarr":
        raise InputError(f"affinities are written to a folder that ends in .zarr, got {path}")
    if len(shape) != 4 or shape[0] != len(steps):
        raise InputError(
            f"affinities must be (K, Z, Y, X) with {len(steps)} channels, one an offset, got {tuple(shape)}"
        )
    if path.exists() and not (path / "zarr.json").is_file():
        raise InputError(f"a zarr folder or nothing was expected at {path}, got something else, which stays as it is")
    metadata: dict[str, Any] = {
        "shape": list(shape),
        "data_type": check_choice(dtype, DTYPES, "dtype"),
        "dimension_names": ["offset", "z", "y", "x"],
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [min(pair) for pair in zip(chunk, shape, strict=True)]},
        },
        "codecs": [
            {"name": "bytes", **({} if dtype == "uint8" else {"configuration": {"endian": "little"}})},
            {"name": "zstd", "configuration": {"level": 3}},
        ],
        "attributes": {
            "offsets": steps,
            "voxel_size_nm": check_triple(voxel_size_nm, "voxel_size_nm"),
            "offset_nm": list(offset_nm),
        },
    }
    with replacing(path) as partial:
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{partial}/"}, "metadata": metadata}
        yield open_store(spec, create=True, write=True)


def read_affinities(
    path: str | Path, offsets: Offsets | str | None = None, voxel_size_nm: Sequence[float] | None = None
) -> AffinityFile:
    """Read what `write_affinities` wrote, or map an .npy file (K, Z, Y, X) into memory.

    Args:
        path: a .zarr folder that knows its offsets and its voxel size, or an .npy file that does not.
        offsets: of an .npy file: (z, y, x) steps, one a channel, or "nearest", "long_range" or "isotropic".
        voxel_size_nm: of an .npy file: (z, y, x).

    Raises:
        InputError: if there is no such file, or what it or the arguments say of it does not fit.
    """
    path = Path(path)
    if path.suffix == ".npy":
        return _map_affinities(path, offsets, voxel_size_nm)
    try:
        metadata = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        attributes = metadata["attributes"]
        known = check_offsets(attributes["offsets"])
        size_nm = check_triple(attributes["voxel_size_nm"], "voxel_size_nm")
    except FileNotFoundError:
        raise InputError(f"a zarr folder of affinities was expected at {path}, got none") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} must hold affinities with offsets and voxel_size_nm, got: {error}") from None
    if offsets is not None or voxel_size_nm is not None:
        raise InputError(
            f"{path} says its offsets and its voxel size itself: offsets and voxel_size_nm are for .npy files"
        )
    store = open_store({"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"}}, open=True)
    if len(store.shape) != 4 or store.shape[0] != len(known):
        raise InputError(f"{path} must have {len(known)} channels, one an offset, got shape {tuple(store.shape)}")
    return AffinityFile(np.asarray(store.read().result()), known, size_nm)


def _map_affinities(path: Path, offsets: Offsets | str | None, voxel_size_nm: Sequence[float] | None) -> AffinityFile:
    """Return an .npy file as it lies on disk."""
    if not path.is_file():
        raise InputError(f"a file of affinities was expected at {path}, got none")
    if offsets is None or voxel_size_nm is None:
        raise InputError(f"offsets and voxel_size_nm must be given for {path}, which does not say them")
    steps = (
        NEIGHBOURHOODS[check_choice(offsets, sorted(NEIGHBOURHOODS), "offsets")]
        if isinstance(offsets, str)
        else offsets
    )
    try:
        array = np.load(path, mmap_mode="r")
    except ValueError as error:
        raise InputError(f"{path} must be a NumPy array, got: {error}") from None
    return AffinityFile(array, check_offsets(steps), check_triple(voxel_size_nm, "voxel_size_nm"))
