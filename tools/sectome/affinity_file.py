"""Affinities and other maps on disk: a zarr array (K, Z, Y, X) that stores its offsets and voxel size, or .npy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from sectome.checks import InputError, check_choice, check_triple, check_writable
from sectome.geometry import ORIGIN, PointNm, as_point
from sectome.neighbourhoods import ISOTROPIC, LONG_RANGE, NEAREST, check_offsets
from sectome.replace import replacing
from sectome.stored_channels import StoredChannels
from sectome.types import Channels, FloatArray, Offset, Offsets, Shape3, VoxelSize
from sectome.volumes.shards import in_shards
from sectome.volumes.store_address import local_path
from sectome.volumes.tensorstore_process import finish, open_store, zarr_spec
from sectome.volumes.zarr_metadata import read_node

CHUNK = (1, 32, 128, 128)
DTYPES = ("uint8", "float16", "float32")

Parsed = TypeVar("Parsed")

NEIGHBOURHOODS: dict[str, Offsets] = {"nearest": NEAREST, "long_range": LONG_RANGE, "isotropic": ISOTROPIC}


def write_affinities(
    path: str | Path,
    affinities: FloatArray,
    channels: Channels,
    voxel_size_nm: Sequence[float],
    offset_nm: Sequence[float] = ORIGIN,
) -> None:
    """Write affinities or other maps (K, Z, Y, X), values 0 to 1, as uint8; the folder appears once it is complete.

    Raises:
        InputError: if the array is not (K, Z, Y, X) with one channel per offset or name, or `path` cannot be used (see
            `checked_output`).
    """
    if affinities.ndim != 4:
        raise InputError(f"affinities must have axes (K, Z, Y, X), got shape {affinities.shape}")
    box = (1, *affinities.shape[1:])
    with new_affinities(path, affinities.shape, channels, voxel_size_nm, box=box, offset_nm=offset_nm) as store:
        for channel, values in enumerate(affinities):
            finish(store[channel].write(np.rint(values * 255).clip(0, 255).astype(np.uint8)))


@contextmanager
def new_affinities(
    path: str | Path,
    shape: Sequence[int],
    channels: Channels,
    voxel_size_nm: Sequence[float],
    *,
    box: Sequence[int],
    chunk: Sequence[int] = CHUNK,
    dtype: str = "uint8",
    offset_nm: Sequence[float] = ORIGIN,
    unfinished: Path | None = None,
) -> Iterator[Any]:
    """Yield a tensorstore of affinities or other maps (K, Z, Y, X) to write into; the folder appears at the end.

    Args:
        path: .zarr folder to write; affinities already there are replaced at the end.
        shape: (K, Z, Y, X).
        channels: K offsets (z, y, x), or the names of K other maps.
        voxel_size_nm: voxel size (z, y, x).
        box: shape (K, Z, Y, X) of the parts written at once; see `sectome.volumes.shards`.
        chunk: shape of a chunk (K, Z, Y, X).
        dtype: "uint8", where 255 stands for 1, "float16" or "float32".
        offset_nm: position of the first voxel (z, y, x).
        unfinished: folder to write to until then. It may already exist, and is kept if the block raises.

    Raises:
        InputError: if `shape` does not have one channel per offset or name, or `path` cannot be used (see
            `checked_output`).
    """
    path, says = checked_output(path), said_of_channels(channels)
    if len(shape) != 4 or shape[0] != len(channels):
        raise InputError(
            f"affinities must have axes (K, Z, Y, X) and K = {len(channels)}, one channel per offset or name, got "
            f"shape {tuple(shape)}"
        )
    metadata = _metadata(shape, says, voxel_size_nm, chunk, dtype, offset_nm, box)
    with replacing(path, unfinished=unfinished) as partial:
        goes_on = unfinished is not None
        yield open_store({**zarr_spec(partial), "metadata": metadata}, create=True, open=goes_on, write=True)


def checked_output(path: str | Path) -> Path:
    """Return a path where affinities or other maps can be written.

    Raises:
        InputError: if the path does not end in .zarr, holds something else, or its parent folder is not writable.
    """
    path = local_path(path, "affinities")
    if path.suffix != ".zarr":
        raise InputError(f"the output must be a folder that ends in .zarr, got {path}")
    node = read_node(path) if path.is_dir() else None
    if path.exists() and not (node and node.is_array and {"offsets", "channels"} & set(node.attributes)):
        raise InputError(
            f"expected a zarr folder of affinities or maps, or nothing, at {path}, got something else, which stays as "
            "it is"
        )
    check_writable(path.resolve().parent, "the folder of the output")
    return path


def create_affinities(
    path: Path,
    shape: Shape3,
    channels: Channels,
    voxel_size_nm: Sequence[float],
    offset_nm: Sequence[float],
    chunk: Sequence[int],
    block: Shape3,
) -> None:
    """Create a zarr array of uint8 affinities or other maps; keep one that already exists.

    Many processes fill it, each writing whole blocks (z, y, x) of all channels.
    """
    count = len(channels)
    metadata = _metadata(
        (count, *shape), said_of_channels(channels), voxel_size_nm, chunk, "uint8", offset_nm, (count, *block)
    )
    open_store({**zarr_spec(path), "metadata": metadata}, create=True, open=True, write=True)


def said_of_channels(channels: Channels) -> dict[str, Any]:
    """Return the zarr attribute that describes the channels."""
    if channels and all(isinstance(name, str) for name in channels):
        return {"channels": list(channels)}
    return {"offsets": check_offsets(cast("Offsets", channels))}


def _metadata(
    shape: Sequence[int],
    says: Mapping[str, Any],
    voxel_size_nm: Sequence[float],
    chunk: Sequence[int],
    dtype: str,
    offset_nm: Sequence[float],
    box: Sequence[int],
) -> dict[str, Any]:
    """Return the content of `zarr.json`."""
    metadata = {
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
            **says,
            "voxel_size_nm": check_triple(voxel_size_nm, "voxel_size_nm"),
            "offset_nm": list(offset_nm),
        },
    }
    return in_shards(metadata, box)


class StoredAffinities(StoredChannels):
    """Affinities on disk, read box by box or all at once.

    Args:
        path: .zarr folder, which stores its offsets and voxel size, or .npy file, which does not.
        offsets: for an .npy file: one offset (z, y, x) per channel, or "nearest", "long_range" or "isotropic".
        voxel_size_nm: for an .npy file: (z, y, x).

    Attributes:
        name: the path as the user gave it.
        offsets: K offsets (z, y, x).

    Raises:
        InputError: if there is no such file, or its content or the arguments do not fit.
    """

    def __init__(
        self, path: str | Path, offsets: Offsets | str | None = None, voxel_size_nm: Sequence[float] | None = None
    ) -> None:
        self.name, file = str(path), local_path(path, "affinities").absolute()
        if file.suffix == ".npy":
            self.offsets, size_nm, at_nm = _said_of_npy(Path(path), offsets, voxel_size_nm)
        else:
            self.offsets, size_nm, at_nm = said_by_zarr(Path(path), "affinities", "offsets", check_offsets)
            if offsets is not None or voxel_size_nm is not None:
                raise InputError(
                    f"offsets and voxel_size_nm must be given for .npy files only, got them for {path}, which stores "
                    "its own"
                )
        super().__init__(file, {"offsets": [list(step) for step in self.offsets]}, size_nm, at_nm)
        if self.channel_count != len(self.offsets):
            raise InputError(
                f"expected {len(self.offsets)} channels, one per offset, in {path}, got {self.channel_count}"
            )


_Said = tuple[tuple[Offset, ...], VoxelSize, PointNm]


def said_by_zarr(path: Path, kind: str, name: str, parse: Callable[[Any], Parsed]) -> tuple[Parsed, VoxelSize, PointNm]:
    """Return the channels, the voxel size and the position that a zarr folder stores as attributes.

    Args:
        path: the folder.
        kind: what it should hold, for the error message.
        name: attribute that describes the channels.
        parse: converts the value of that attribute.

    Raises:
        InputError: if there is no such folder, or an attribute is missing or invalid.
    """
    try:
        attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        at_nm = as_point(attributes.get("offset_nm", ORIGIN))
        return parse(attributes[name]), check_triple(attributes["voxel_size_nm"], "voxel_size_nm"), at_nm
    except (FileNotFoundError, NotADirectoryError):
        there = "a file" if path.is_file() else "none"
        raise InputError(f"expected a zarr folder of {kind} at {path}, got {there}") from None
    except (KeyError, TypeError, ValueError) as error:
        got = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(f"{path} must hold {kind} with {name} and voxel_size_nm, got: {got}") from None


def _said_of_npy(path: Path, offsets: Offsets | str | None, voxel_size_nm: Sequence[float] | None) -> _Said:
    """Return the offsets, the voxel size and the position of an .npy file, which stores none of them."""
    if not path.is_file():
        raise InputError(f"expected a file of affinities at {path}, got none")
    if offsets is None or voxel_size_nm is None:
        raise InputError(f"offsets and voxel_size_nm must be given for {path}, which does not store them")
    steps = (
        NEIGHBOURHOODS[check_choice(offsets, sorted(NEIGHBOURHOODS), "offsets")]
        if isinstance(offsets, str)
        else offsets
    )
    return check_offsets(steps), check_triple(voxel_size_nm, "voxel_size_nm"), ORIGIN
