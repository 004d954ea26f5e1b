"""The supported formats, and which of them a path refers to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sectome.checks import InputError
from sectome.geometry import Placement
from sectome.unfinished import Unfinished
from sectome.volumes import (
    hdf5,
    mrc,
    n5,
    nifti,
    numpy_files,
    ome_zarr,
    precomputed,
    sections,
    tiff,
    zarr,
    zarr_metadata,
    zarr_writer,
)
from sectome.volumes.blocks import Source
from sectome.volumes.levels import Level
from sectome.volumes.n5_metadata import NODE_FILES
from sectome.volumes.precomputed_info import INFO, PREFIX, resolve
from sectome.volumes.reader import Reader
from sectome.volumes.store_address import WRITABLE_SCHEMES, is_address, scheme_of
from sectome.volumes.store_folder import Place, StoreFolder, fetch, open_address, why_nothing

# The first argument is a path, or for chunked formats also a folder on a server.
Open = Callable[[Any, str | None], Reader]
FindLevels = Callable[[Any, str | None], tuple[Level, ...]]
Write = Callable[[Any, str | None, Source, Placement, Unfinished], None]
CheckOutput = Callable[[Any, str | None], None]


def _has_one_level(path: Path, dataset: str | None) -> tuple[Level, ...]:
    return ()


def _replaces_any_file(path: Path, dataset: str | None) -> None:
    pass


def _is_zarr_folder(folder: Place) -> bool:
    return folder.name.lower().endswith(".zarr") or zarr_metadata.is_zarr_node(folder)


# Named functions, not lambdas: a volume is pickled with its format when sent to a worker.
@dataclass(frozen=True)
class Format:
    """How volumes of one format are opened and written.

    Attributes:
        name: Name in messages.
        suffixes: Suffixes of its files or folders.
        open: Makes a reader from a path and a dataset name.
        write: Writes a source to a path and dataset name that `check_output` has accepted.
        check_output: Raises an `InputError` if writing would destroy existing data, or they leave no place for the
            dataset.
        holds_datasets: Whether a path may end in `:dataset`.
        find_levels: Lists the levels of a pyramid, each with its dataset.
        is_folder: Returns whether a folder has this format; None for formats of single files. Any other folder holds
            sections.
        files: Names of which each of its folders has at least one; if empty, it is not read from servers.
        is_written_to_stores: Whether it can be written to object stores.
    """

    name: str
    suffixes: tuple[str, ...]
    open: Open
    write: Write
    check_output: CheckOutput = _replaces_any_file
    holds_datasets: bool = False
    find_levels: FindLevels = _has_one_level
    is_folder: Callable[[Place], bool] | None = None
    files: tuple[str, ...] = ()
    is_written_to_stores: bool = False


SECTIONS = Format("folder of sections", (), sections.SectionsReader, sections.write_sections, sections.check_output)
PRECOMPUTED = Format(
    "precomputed volume",
    (".precomputed",),
    precomputed.PrecomputedReader,
    precomputed.write_precomputed,
    precomputed.check_output,
    find_levels=precomputed.find_scales,
    is_folder=precomputed.is_precomputed,
    files=(INFO,),
)
FORMATS = (
    Format("TIFF", (".tif", ".tiff"), tiff.TiffReader, tiff.write_tiff),
    Format("HDF5", (".h5", ".hdf", ".hdf5"), hdf5.Hdf5Reader, hdf5.write_hdf5, hdf5.check_output, holds_datasets=True),
    Format(
        "OME-Zarr",
        (".ome.zarr",),
        zarr.ZarrReader,
        ome_zarr.write_ome_zarr,
        zarr_writer.check_output,
        True,
        zarr.find_zarr_levels,
        is_written_to_stores=True,
    ),
    Format(
        "zarr",
        (".zarr",),
        zarr.ZarrReader,
        zarr_writer.write_zarr,
        zarr_writer.check_output,
        True,
        zarr.find_zarr_levels,
        _is_zarr_folder,
        zarr_metadata.NODE_FILES,
        is_written_to_stores=True,
    ),
    Format(
        "N5", (".n5",), n5.N5Reader, n5.write_n5, n5.check_output, True, n5.find_n5_levels, n5.is_n5_node, NODE_FILES
    ),
    PRECOMPUTED,
    Format("NIfTI", (".nii", ".nii.gz"), nifti.NiftiReader, nifti.write_nifti),
    Format("MRC", (".mrc", ".map", ".rec"), mrc.MrcReader, mrc.write_mrc),
    Format("npy", (".npy",), numpy_files.NpyReader, numpy_files.write_npy),
    Format(
        "npz",
        (".npz",),
        numpy_files.NpzReader,
        numpy_files.write_npz,
        numpy_files.check_npz_output,
        holds_datasets=True,
    ),
)

_CONTAINER_SUFFIXES = "|".join(
    re.escape(suffix) for known in FORMATS if known.holds_datasets for suffix in known.suffixes
)
_WITH_DATASET = re.compile(rf"(?P<path>.*(?:{_CONTAINER_SUFFIXES})):(?P<dataset>.*)", re.IGNORECASE)


class Location(NamedTuple):
    """A parsed name: the absolute path (or the folder on a server), the dataset inside it, and the format."""

    path: Place
    dataset: str | None
    format: Format


def locate_existing(name: str | os.PathLike[str]) -> Location:
    """Return the location of an existing volume.

    Raises:
        InputError: If nothing is there, or its format is unknown.
    """
    text = os.fspath(name)
    place, dataset = _split(text)
    if isinstance(place, StoreFolder):
        known = PRECOMPUTED if text.startswith(PREFIX) else _format_on_server(place, dataset)
        return Location(place, dataset, known)
    # An empty name, for example from an unset shell variable, would mean the working directory.
    if not text or not place.exists():
        raise InputError(f"expected an existing volume, got {text!r}, where there is nothing")
    if text.startswith(PREFIX):
        return Location(place, None, PRECOMPUTED)
    if place.is_dir():
        of_folders = (known for known in FORMATS if known.is_folder is not None and known.is_folder(place))
        return Location(place, dataset, next(of_folders, SECTIONS))
    return Location(place, dataset, _by_suffix(place))


def locate_output(name: str | os.PathLike[str]) -> Location:
    """Return where and how a volume is to be written; no suffix or a trailing slash means a folder of sections.

    Raises:
        InputError: If the suffix is unknown, or the format or the server cannot be written to.
    """
    text = os.fspath(name)
    if not text:
        raise InputError("expected a file or a folder to write, got ''")
    path, dataset = _split(text)
    if isinstance(path, StoreFolder):
        if scheme_of(path.address) not in WRITABLE_SCHEMES:
            raise InputError(f"expected a folder, s3:// or gs:// to write to, got {text!r}, which is read-only")
        known = None if text.startswith(PREFIX) else _by_suffix(path)
        if known is None or not known.is_written_to_stores:
            raise InputError(f"expected .ome.zarr or .zarr to write to an object store, got {text!r}")
        return Location(path, dataset, known)
    if text.startswith(PREFIX):
        return Location(path, None, PRECOMPUTED)
    is_named_folder = any(path.name.lower().endswith(known.suffixes) for known in FORMATS if known.is_folder)
    if text.endswith(("/", os.sep)) and not is_named_folder:
        return Location(path, None, SECTIONS)
    if not path.suffix and path.name:
        return Location(path, None, SECTIONS)
    known = _by_suffix(path)
    if path.is_dir() and not is_named_folder:
        raise InputError(f"expected a file to write, got the folder {path}")
    return Location(path, dataset, known)


def split_dataset(name: str) -> tuple[str, str | None]:
    """Split a name such as vol.h5:volumes/raw into container and dataset; the dataset is None if none is named."""
    match = _WITH_DATASET.fullmatch(name)
    return (match["path"], match["dataset"].strip("/")) if match else (name, None)


def _format_on_server(folder: StoreFolder, dataset: str | None) -> Format:
    in_chunks = [known for known in FORMATS if known.files]
    named = [known for known in FORMATS if folder.name.lower().endswith(known.suffixes)]
    if named and not named[-1].files:
        suffixes = ", ".join(suffix for known in in_chunks for suffix in known.suffixes)
        raise InputError(
            f"expected a volume in chunks ({suffixes}) on a server, got {folder.name!r}: download it first"
        )
    candidates = named[-1:] or in_chunks
    place = folder / dataset if dataset else folder
    fetch(place / file for known in candidates for file in known.files)
    for known in candidates:
        if any((place / file).is_file() for file in known.files):
            return known
    raise why_nothing(place)


def absolute_path(name: str) -> str:
    """Return the absolute path of a local volume, with its dataset; an address stays as it is."""
    prefix = PREFIX if name.startswith(PREFIX) else ""
    place = name.removeprefix(prefix)
    is_here = "://" not in place and Path(place.split(":")[0]).exists()
    return f"{prefix}{Path(place).absolute()}" if is_here else name


def _split(name: str) -> tuple[Place, str | None]:
    if name.startswith(PREFIX):
        place = resolve(name)
        if isinstance(place, StoreFolder):
            return place, None
        text, dataset = os.fspath(place), None
    else:
        text, dataset = split_dataset(name)
        if dataset == "":
            raise InputError(f"expected the name of a dataset after the colon, got {name!r}")
        if ".." in (dataset or "").split("/"):
            raise InputError(f"expected a dataset inside the container, got {name!r}")
    if is_address(text):
        return open_address(text), dataset
    return Path(os.path.abspath(os.path.expanduser(text))), dataset


def _by_suffix(path: Place) -> Format:
    for known in FORMATS:
        if path.name.lower().endswith(known.suffixes):
            return known
    suffixes = ", ".join(suffix for known in FORMATS for suffix in known.suffixes)
    raise InputError(f"expected a folder of numbered sections, {PREFIX} or one of {suffixes}, got {path.name!r}")
