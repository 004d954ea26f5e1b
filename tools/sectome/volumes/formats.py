"""The known formats, and which of them a path means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sectome.checks import InputError
from sectome.types import VoxelSize
from sectome.volumes import hdf5, nifti, numpy_files, sections, tiff, zarr
from sectome.volumes.blocks import Source
from sectome.volumes.reader import Reader

Open = Callable[[Path, str | None], Reader]
Write = Callable[[Path, str | None, Source, VoxelSize | None], None]


@dataclass(frozen=True)
class Format:
    """How volumes of one format are opened and written; `holds_datasets` if a path may end in `:dataset`."""

    name: str
    suffixes: tuple[str, ...]
    open: Open
    write: Write
    holds_datasets: bool = False


SECTIONS = Format("folder of sections", (), sections.SectionsReader, sections.write_sections)
ZARR = Format("zarr", (".zarr",), zarr.ZarrReader, zarr.write_zarr, holds_datasets=True)
FORMATS = (
    Format("TIFF", (".tif", ".tiff"), tiff.TiffReader, tiff.write_tiff),
    Format("HDF5", (".h5", ".hdf", ".hdf5"), hdf5.Hdf5Reader, hdf5.write_hdf5, holds_datasets=True),
    ZARR,
    Format("NIfTI", (".nii", ".nii.gz"), nifti.NiftiReader, nifti.write_nifti),
    Format("npy", (".npy",), numpy_files.NpyReader, numpy_files.write_npy),
    Format("npz", (".npz",), numpy_files.NpzReader, numpy_files.write_npz, holds_datasets=True),
)

_CONTAINER_SUFFIXES = "|".join(
    re.escape(suffix) for known in FORMATS if known.holds_datasets for suffix in known.suffixes
)
_WITH_DATASET = re.compile(rf"(?P<path>.*(?:{_CONTAINER_SUFFIXES})):(?P<dataset>.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Location:
    """A path taken apart: the absolute path of the file or folder, the dataset inside of it, and the format."""

    path: Path
    dataset: str | None
    format: Format


def locate_existing(name: str | os.PathLike[str]) -> Location:
    """Return where an existing volume lies.

    Raises:
        InputError: If nothing is there, or its format is not known.
    """
    path, dataset = _split(name)
    if not path.exists():
        raise InputError(f"expected an existing volume, got {os.fspath(name)!r}, where there is nothing")
    if path.is_dir():
        is_zarr = path.name.lower().endswith(".zarr") or zarr.is_zarr_node(path)
        return Location(path, dataset, ZARR if is_zarr else SECTIONS)
    return Location(path, dataset, _by_suffix(path))


def locate_output(name: str | os.PathLike[str]) -> Location:
    """Return where a volume is to be written; a name with no suffix or a final slash means a folder of sections.

    Raises:
        InputError: If the suffix is not a known one.
    """
    path, dataset = _split(name)
    if os.fspath(name).endswith(("/", os.sep)) and not path.name.lower().endswith(".zarr"):
        return Location(path, None, SECTIONS)
    if not path.suffix and path.name:
        return Location(path, None, SECTIONS)
    known = _by_suffix(path)
    if path.is_dir() and known is not ZARR:
        raise InputError(f"expected a file to write, got the folder {path}")
    return Location(path, dataset, known)


def _split(name: str | os.PathLike[str]) -> tuple[Path, str | None]:
    text = os.fspath(name)
    dataset = None
    if match := _WITH_DATASET.fullmatch(text):
        text, dataset = match["path"], match["dataset"].strip("/")
        if not dataset:
            raise InputError(f"expected the name of a dataset after the colon, got {os.fspath(name)!r}")
    return Path(os.path.abspath(os.path.expanduser(text))), dataset


def _by_suffix(path: Path) -> Format:
    for known in FORMATS:
        if path.name.lower().endswith(known.suffixes):
            return known
    suffixes = ", ".join(suffix for known in FORMATS for suffix in known.suffixes)
    raise InputError(f"expected a folder of numbered sections or one of {suffixes}, got {path.name!r}")
