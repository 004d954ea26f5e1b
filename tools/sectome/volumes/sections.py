"""Folders of numbered sections, one PNG or TIFF image each."""

from __future__ import annotations

import re
import warnings
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile

from sectome.checks import InputError
from sectome.cores import threads_for
from sectome.geometry import Placement
from sectome.json_object import read_json_object, write_json
from sectome.replace import replacing
from sectome.types import Array, Shape3
from sectome.unfinished import Unfinished
from sectome.volumes.attributes import attributes_of, placement_from_attributes
from sectome.volumes.blocks import Source, iterate_sections
from sectome.volumes.decoded_sections import DecodedSections
from sectome.volumes.grey import COLOUR_CHANNELS, grey_channel, misread_greys, warn_of_colour
from sectome.volumes.png_header import read_png_header
from sectome.volumes.reader import Reader, check_number_type, check_three_axes, readable

_SUFFIXES = (".png", ".tif", ".tiff")
_SIDECAR = "volume.json"
_WRITTEN = re.compile(rf"section\d+\.(png|tif)|{re.escape(_SIDECAR)}")


class _Header(NamedTuple):
    """A section's file header: shape (Y, X), type, channels including alpha, and why its greys may be misread."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    channels: int
    misread: str = ""


class SectionsReader(Reader):
    """A folder of images of one shape and type, ordered by the only number that varies in their names.

    Voxel size and offset come from `volume.json` in the folder, which `write_sections` writes. Sections stored as
    colour are read as grey, with a warning, if their channels are equal.
    """

    decodes_sections = True

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        self._files = _sorted_sections(path)
        headers = {file: _header(file) for file in self._files}
        shape, self.dtype, *_ = headers[self._files[0]]
        self.shape = check_three_axes((len(self._files), *shape), str(path))
        for file, header in headers.items():
            if (header.shape, header.dtype) != (shape, self.dtype):
                raise InputError(
                    f"expected sections of one shape, {shape} {self.dtype} as in {self._files[0].name}, got "
                    f"{header.shape} {header.dtype} in {file}"
                )
        coloured = [file for file, header in headers.items() if header.channels in COLOUR_CHANNELS]
        if coloured:
            _read_section(coloured[0], shape)
            warn_of_colour(str(path))
        self._sections = DecodedSections(self._decode, self.shape, self.dtype)
        # Give each warning once, for its first section.
        for said, file in {header.misread: file for file, header in reversed(headers.items())}.items():
            if said:
                warnings.warn(f"{file} {said}", UserWarning, stacklevel=2)
        sidecar = path / _SIDECAR
        attributes = read_json_object(sidecar, "voxel size and offset") if sidecar.is_file() else {}
        self.placement = placement_from_attributes(attributes)

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X); every section that it touches is decoded."""
        return self._sections.read(z, y, x)

    def keep_chunks_of(self, box: Shape3) -> None:
        """See `Volume.keep_chunks_of`."""
        self._sections.keep_chunks_of(box)

    def _decode(self, z: int) -> Array:
        return _read_section(self._files[z], self.shape[1:])


def write_sections(path: Path, dataset: str | None, source: Source, placement: Placement, progress: Unfinished) -> None:
    """Write `section0000.png` and so on: PNG for uint8 and uint16, zlib-compressed TIFF for other types."""
    is_png = source.dtype.name in ("uint8", "uint16")
    digits = max(4, len(str(source.shape[0] - 1)))

    def write(file: Path, section: Array) -> None:
        if is_png:
            file.write_bytes(imagecodecs.png_encode(section, level=1))
        else:
            tifffile.imwrite(file, section, photometric="minisblack", compression="zlib")

    with replacing(path, unfinished=progress.output) as partial:
        partial.mkdir()
        nbytes = source.dtype.itemsize * source.shape[1] * source.shape[2]
        threads = threads_for(source.shape[0], nbytes)
        with ThreadPoolExecutor(threads) as pool:
            under_way: deque[Future[None]] = deque()
            for number, section in enumerate(iterate_sections(source)):
                if len(under_way) == threads:
                    under_way.popleft().result()
                file = partial / f"section{number:0{digits}d}{'.png' if is_png else '.tif'}"
                under_way.append(pool.submit(write, file, section))
            for one in under_way:
                one.result()
        if attributes := attributes_of(placement):
            write_json(attributes, partial / _SIDECAR)


def check_output(path: Path, dataset: str | None) -> None:
    """Raise an `InputError` if the path exists and is anything but a folder that `write_sections` wrote."""
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"expected a new folder or one that sectome wrote, got the file {path}")
    # A folder of the user's own images looks similar, so only files named as ours are replaced.
    foreign = [item.name for item in path.iterdir() if not _WRITTEN.fullmatch(item.name) or item.is_dir()]
    if foreign:
        raise InputError(f"expected a new folder or one that sectome wrote, got {path}, which holds {foreign[0]}")


def _sorted_sections(folder: Path) -> list[Path]:
    files = [file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".")]
    if not files:
        raise InputError(f"expected numbered sections ({', '.join(_SUFFIXES)}) in the folder {folder}, got none")
    by_number: dict[int, Path] = {}
    for file, number in _numbered(sorted(files), folder):
        if number in by_number:
            raise InputError(f"expected each section once, got {by_number[number].name} and {file.name} in {folder}")
        by_number[number] = file
    numbers = sorted(by_number)
    for number, following in pairwise(numbers):
        if following != number + 1:
            raise InputError(f"expected sections without gaps, got none numbered {number + 1} in {folder}")
    return [by_number[number] for number in numbers]


def _numbered(files: list[Path], folder: Path) -> list[tuple[Path, int]]:
    """Return each file with the number in its name that differs between files; for a single file, the last number."""
    parts = [re.split(r"(\d+)", file.name) for file in files]
    if len(parts[0]) == 1:
        raise InputError(f"expected a number in the name of each section, got {files[0].name} in {folder}")
    for file, split in zip(files, parts, strict=True):
        if split[::2] != parts[0][::2]:
            raise InputError(
                f"expected sections that differ in a number only, got {files[0].name} and {file.name} in {folder}"
            )
    columns = [[int(split[i]) for split in parts] for i in range(1, len(parts[0]), 2)]
    varying = [column for column in columns if len(set(column)) > 1] or columns[-1:]
    if len(varying) > 1:
        raise InputError(
            f"expected sections that differ in one number, got {len(varying)} that change from {files[0].name} to "
            f"{files[-1].name} in {folder}"
        )
    return list(zip(files, varying[0], strict=True))


def _header(file: Path) -> _Header:
    with readable(file, "image"):
        if file.suffix.lower() == ".png":
            return _Header(*read_png_header(file))
        with tifffile.TiffFile(file) as tiff:
            image = tiff.series[0]
            channels = image.shape[-1] if len(image.shape) == 3 and image.shape[-1] in COLOUR_CHANNELS else 1
            shape = image.shape if channels == 1 else image.shape[:-1]
            if len(shape) != 2 or len(tiff.series) > 1:
                raise InputError(f"expected one section in {file}, got shape {image.shape}")
            dtype = check_number_type(image.dtype, str(file))
            return _Header((shape[0], shape[1]), dtype, channels, misread_greys(tiff.pages.first))


def _read_section(file: Path, shape: tuple[int, int]) -> Array:
    with readable(file, "image"):
        is_png = file.suffix.lower() == ".png"
        section: Array = imagecodecs.png_decode(file.read_bytes()) if is_png else tifffile.imread(file)
    if section.ndim == 3:
        section = grey_channel(section, str(file))
    if section.shape != shape:
        raise InputError(f"expected a section of shape {shape}, got {section.shape} in {file}")
    return section
