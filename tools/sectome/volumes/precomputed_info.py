"""Location and `info` file of a Neuroglancer precomputed volume; (X, Y, Z) there, (Z, Y, X) here."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.geometry import Placement, as_point, as_voxel_size
from sectome.types import Shape3
from sectome.volumes.reader import check_number_type, check_three_axes
from sectome.volumes.store_address import SCHEMES, is_address
from sectome.volumes.store_folder import Place, StoreFolder, open_address, why_nothing

PREFIX = "precomputed://"
INFO = "info"
_SCHEME = re.compile(r"(?P<scheme>[a-z0-9+]+)://(?P<rest>.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Scale:
    """One resolution of a volume.

    Attributes:
        index: Position in `info`.
        key: Name, also of its folder beside `info`.
        shape: Voxels along (z, y, x).
        voxel_offset: Position of the first voxel along (z, y, x), in voxels.
        placement: Voxel size and offset in nm.
    """

    index: int
    key: str
    shape: Shape3
    voxel_offset: tuple[int, int, int]
    placement: Placement


@dataclass(frozen=True)
class Info:
    """Content of `info`: the type of the voxels, and the scales in the file's order."""

    dtype: np.dtype[Any]
    scales: tuple[Scale, ...]


def resolve(name: str) -> Place:
    """Return the local or remote folder that `precomputed://...` refers to.

    Raises:
        InputError: If the scheme is unknown.
    """
    rest = name[len(PREFIX) :].rstrip("/")
    if is_address(rest):
        return open_address(rest)
    match = _SCHEME.fullmatch(rest)
    if match is None:
        return Path(rest)
    if match["scheme"].lower() == "file":
        return Path(match["rest"])
    raise InputError(f"expected {PREFIX} followed by a folder, file://, {SCHEMES}, got {name!r}")


def read_info(place: Place) -> Info:
    """Return the parsed `info` of the volume in a folder.

    Raises:
        InputError: If `info` is missing, damaged, or not that of a volume with one channel.
    """
    if not (place / INFO).is_file():
        if isinstance(place, StoreFolder):
            raise why_nothing(place)
        raise InputError(f"expected a precomputed volume with the file {INFO}, got none in {place}")
    content = _json((place / INFO).read_bytes(), place)
    try:
        if content.get("@type", "neuroglancer_multiscale_volume") != "neuroglancer_multiscale_volume":
            raise InputError(f"expected a precomputed volume at {place}, got {content['@type']}")
        if (channels := int(content["num_channels"])) != 1:
            raise InputError(f"expected one channel, got {channels} in {place}")
        dtype = check_number_type(np.dtype(str(content["data_type"])), str(place))
        scales = tuple(_scale(index, scale, place) for index, scale in enumerate(content["scales"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"expected the info of a precomputed volume at {place}, got one without: {error!r}") from error
    if not scales:
        raise InputError(f"expected at least one scale in {place}, got none")
    return Info(dtype, scales)


def _scale(index: int, scale: dict[str, Any], place: Place) -> Scale:
    shape = check_three_axes(tuple(int(extent) for extent in reversed(scale["size"])), f"{place}/{scale['key']}")
    z, y, x = (int(step) for step in reversed(scale.get("voxel_offset", (0, 0, 0))))
    resolution = [float(length) for length in reversed(scale["resolution"])]
    offset = as_point([step * length for step, length in zip((z, y, x), resolution, strict=True)])
    return Scale(index, str(scale["key"]), shape, (z, y, x), Placement(as_voxel_size(resolution), offset))


def _json(content: bytes, place: Place) -> dict[str, Any]:
    try:
        # Some servers send info compressed even if the client did not ask for it.
        text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("no object")
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"expected a JSON object in {place}/{INFO}, got {content[:40]!r}") from error
    return found
