"""Affinities and other maps on disk: a zarr array (K, Z, Y, X) that knows what it holds and its voxel size, or .npy."""

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
    """Write affinities in 0 to 1, (K, Z, Y, X), or other maps, as uint8; the folder appears when it is complete.

    Raises:
        InputError: if the name does not end in .zarr, or there is not one channel an offset or a name.
    """
    if affinities.ndim != 4:
        raise InputError(f"affinities must be (K, Z, Y, X), got {affinities.shape}")
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
    """Give a tensorstore of affinities or other maps (K, Z, Y, X) to write into; the folder appears when done.

    Args:
        path: a .zarr folder; affinities that are there are replaced at the end.
        shape: (K, Z, Y, X).
        channels: K offsets (z, y, x), or K names of other maps.
        voxel_size_nm: (z, y, x).
        box: (K, Z, Y, X) of what is written at once; see `sectome.volumes.shards`.
        chunk: what is stored together, (K, Z, Y, X).
        dtype: "uint8", where 255 is 1, "float16" or "float32".
        offset_nm: where the first voxel lies along (z, y, x).
        unfinished: where they lie until then, which may be there already, and stays if the block raises.

    Raises:
        InputError: if the name does not end in .zarr, something else is there, the folder around it can not be written,
            or there is not one channel an offset or a name.
    """
    path, says = checked_output(path), said_of_channels(channels)
    if len(shape) != 4 or shape[0] != len(channels):
        raise InputError(
            f"affinities must be (K, Z, Y, X), K {len(channels)}, one channel an offset or a name, got {tuple(shape)}"
        )
    metadata = _metadata(shape, says, voxel_size_nm, chunk, dtype, offset_nm, box)
    with replacing(path, unfinished=unfinished) as partial:
        goes_on = unfinished is not None
        yield open_store({**zarr_spec(partial), "metadata": metadata}, create=True, open=goes_on, write=True)


def checked_output(path: str | Path) -> Path:
    """Return where affinities or other maps can be written.

    Raises:
        InputError: if the name does not end in .zarr, something else is there, or the folder around it can not be
            written.
    """
    path = local_path(path, "affinities")
    if path.suffix != ".zarr":
        raise InputError(f"affinities are written to a folder that ends in .zarr, got {path}")
    node = read_node(path) if path.is_dir() else None
    if path.exists() and not (node and node.is_array and {"offsets", "channels"} & set(node.attributes)):
        raise InputError(
            f"a zarr folder of affinities or maps, or nothing, was expected at {path}, got something else, which stays "
            "as it is"
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
    """Make a zarr array of uint8 affinities or other maps, or leave it as it is where it is already.

    Many processes fill it, each by whole blocks (z, y, x) of all channels.
    """
    count = len(channels)
    metadata = _metadata(
        (count, *shape), said_of_channels(channels), voxel_size_nm, chunk, "uint8", offset_nm, (count, *block)
    )
    open_store({**zarr_spec(path), "metadata": metadata}, create=True, open=True, write=True)


def said_of_channels(channels: Channels) -> dict[str, Any]:
    """Return the attribute that says what the channels are."""
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
    """Return what the `zarr.json` of affinities says."""
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
        path: of the .zarr folder, which knows its offsets and its voxel size, or of an .npy file that does not.
        offsets: of an .npy file: (z, y, x) steps, one a channel, or "nearest", "long_range" or "isotropic".
        voxel_size_nm: of an .npy file: (z, y, x).

    Attributes:
        name: what the user called the file.
        offsets: K steps (z, y, x).

    Raises:
        InputError: if there is no such file, or what it or the arguments say of it does not fit.
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
                    f"{path} says its offsets and its voxel size itself: offsets and voxel_size_nm are for .npy files"
                )
        super().__init__(file, {"offsets": [list(step) for step in self.offsets]}, size_nm, at_nm)
        if self.channel_count != len(self.offsets):
            raise InputError(f"{path} must have {len(self.offsets)} channels, one an offset, got {self.channel_count}")


_Said = tuple[tuple[Offset, ...], VoxelSize, PointNm]


def said_by_zarr(path: Path, kind: str, name: str, parse: Callable[[Any], Parsed]) -> tuple[Parsed, VoxelSize, PointNm]:
    """Return what a zarr folder says its channels are, its voxel size and its place.

    Args:
        path: of the folder.
        kind: what it should hold, for the message.
        name: of the attribute that says what the channels are.
        parse: what is made of that.

    Raises:
        InputError: if there is no such folder, or it does not say that.
    """
    try:
        attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        at_nm = as_point(attributes.get("offset_nm", ORIGIN))
        return parse(attributes[name]), check_triple(attributes["voxel_size_nm"], "voxel_size_nm"), at_nm
    except (FileNotFoundError, NotADirectoryError):
        there = "a file" if path.is_file() else "none"
        raise InputError(f"a zarr folder of {kind} was expected at {path}, got {there}") from None
    except (KeyError, TypeError, ValueError) as error:
        got = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(f"{path} must hold {kind} with {name} and voxel_size_nm, got: {got}") from None


def _said_of_npy(path: Path, offsets: Offsets | str | None, voxel_size_nm: Sequence[float] | None) -> _Said:
    """Return offsets, voxel size and place of an .npy file, which says none of them."""
    if not path.is_file():
        raise InputError(f"a file of affinities was expected at {path}, got none")
    if offsets is None or voxel_size_nm is None:
        raise InputError(f"offsets and voxel_size_nm must be given for {path}, which does not say them")
    steps = (
        NEIGHBOURHOODS[check_choice(offsets, sorted(NEIGHBOURHOODS), "offsets")]
        if isinstance(offsets, str)
        else offsets
    )
    return check_offsets(steps), check_triple(voxel_size_nm, "voxel_size_nm"), ORIGIN
