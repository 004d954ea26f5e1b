"""The interface between a format and a volume, and library errors turned into one sentence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from sectome.checks import InputError, first_line
from sectome.geometry import Placement
from sectome.types import Array, Shape3
from sectome.volumes.store_folder import Place

Datasets: TypeAlias = dict[str, tuple[int, ...]]
"""Shape of each dataset of a container, by name."""

DEFAULT_DATASET = "volume"
"""Name of a dataset that is written without a name."""


class Reader(ABC):
    """One stored volume: its header has been read, its voxels have not.

    Attributes:
        shape: Voxels along (z, y, x).
        dtype: Type of the voxels, in native byte order.
        placement: Voxel size and offset from the file.
        decodes_sections: See `Volume.decodes_sections`.
        orientation: See `Volume`.
        affine_mm: See `Volume.affine_mm`; None for all formats but NIfTI.
    """

    shape: Shape3
    dtype: np.dtype[Any]
    placement: Placement
    decodes_sections: bool = False
    orientation: str = ""
    affine_mm: Array | None = None

    @abstractmethod
    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return the voxels (Z, Y, X) of a non-empty box, whose slices have starts, stops and positive steps."""

    def keep_chunks_of(self, box: Shape3) -> None:  # noqa: B027
        """See `Volume.keep_chunks_of`; does nothing for a format without a cache."""


@contextmanager
def readable(path: Place, format_name: str) -> Iterator[None]:
    """Turn any exception of a library about a file into an `InputError` that names the file."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a damaged file can raise errors of zlib, zipfile, struct and each library's own
        raise InputError(f"expected a readable {format_name}, got {path}: {first_line(error)[:200]}") from error


def check_three_axes(shape: tuple[int, ...], where: str) -> Shape3:
    """Return the shape as (Z, Y, X); raise an `InputError` unless it has three axes and at least one voxel."""
    if len(shape) != 3:
        raise InputError(f"expected a volume of three axes (z, y, x), got {len(shape)} in shape {shape} in {where}")
    if 0 in shape:
        raise InputError(f"expected a volume that holds voxels, got shape {shape} in {where}")
    z, y, x = (int(extent) for extent in shape)
    return z, y, x


def check_number_type(dtype: np.dtype[Any], where: str) -> np.dtype[Any]:
    """Return the type in native byte order; raise an `InputError` unless it is boolean, integer or floating."""
    if dtype.kind not in "biuf":
        raise InputError(f"expected voxels that are booleans, integers or floats, got {dtype} in {where}")
    # By name, because C has two 8-byte integer types and torch accepts only one.
    return np.dtype(dtype.name)


def choose_dataset(datasets: Datasets | None, path: Place) -> str:
    """Return the name of a container's only 3D dataset, or raise an `InputError` that lists its datasets.

    Args:
        datasets: Shape of every dataset in the container, by name; None if they cannot be listed.
        path: The container, for the error message.
    """
    if datasets is None:
        raise InputError(
            f"expected the name of a dataset after a colon, as in {path.name}:raw, because {path} is on a server and "
            "does not list its datasets, got none"
        )
    names = [name for name, shape in datasets.items() if len(shape) == 3]
    if len(names) == 1:
        return names[0]
    found = "none" if not names else f"{len(names)}; name one after a colon, as in {path.name}:{names[0]}"
    raise InputError(f"expected one 3D dataset in {path}, got {found} (it holds {_listed(datasets)})")


def unnamed_output(datasets: Datasets, path: Place) -> InputError:
    """Return the error for an output without a dataset name in a container that holds other datasets."""
    return InputError(
        f"expected the name of a dataset, as in {path.name}:{DEFAULT_DATASET}, because {path} holds others, got none "
        f"(it holds {_listed(datasets)})"
    )


def _listed(datasets: Datasets) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in datasets.items()) or "no dataset"


def absent_dataset(dataset: str, datasets: Datasets | None, path: Place) -> InputError:
    """Return the error for a dataset that the container does not have, or does not list."""
    others = ", which does not exist" if datasets is None else f" (it holds {_listed(datasets)})"
    return InputError(f"expected a dataset of {path}, got {dataset!r}{others}")
