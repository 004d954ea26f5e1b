"""TIFF stacks, one page per section."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from sectome.checks import InputError
from sectome.geometry import Placement
from sectome.replace import replacing
from sectome.types import Array, Shape3
from sectome.unfinished import Unfinished
from sectome.volumes.attributes import attributes_of
from sectome.volumes.blocks import Source, iterate_sections
from sectome.volumes.decoded_sections import DecodedSections
from sectome.volumes.grey import COLOUR_CHANNELS, grey_channel, misread_greys, warn_of_colour
from sectome.volumes.reader import Reader, check_number_type, check_three_axes
from sectome.volumes.tiff_metadata import imagej_origin, tiff_placement

_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_CLASSIC_TIFF_BYTES = 4 * 2**30 - 2**25


class TiffReader(Reader):
    """A TIFF stack: memory-mapped if its voxels are contiguous, else decoded section by section.

    A stack stored as colour is read as grey, with a warning, if its channels are equal.
    """

    def __init__(self, path: Path, dataset: str | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        with _complaints_are_errors(path), tifffile.TiffFile(path) as file:
            shape, dtype, self._pages, offset = _find_stack(file, path)
            self.shape = check_three_axes(shape, str(path))
            self.dtype = check_number_type(dtype, str(path))
            self.placement = tiff_placement(file)
            self._check_complete(offset)
            if said := misread_greys(file.pages.first):
                warnings.warn(f"{path} {said}", UserWarning, stacklevel=2)
            if "S" in file.series[0].axes:
                self._section(0)
                warn_of_colour(str(path))
            self._mapped: np.memmap[Any, Any] | None = None
            self.decodes_sections = offset is None
            self._sections = DecodedSections(self._decode, self.shape, self.dtype)
            if offset is not None:
                stored = self.dtype.newbyteorder(file.byteorder)
                self._mapped = np.memmap(path, dtype=stored, mode="r", offset=offset, shape=self.shape)

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X); in a compressed stack every section that it touches is decoded."""
        if self._mapped is not None:
            return self._mapped[z, y, x]
        return self._sections.read(z, y, x)

    def keep_chunks_of(self, box: Shape3) -> None:
        """See `Volume.keep_chunks_of`."""
        self._sections.keep_chunks_of(box)

    def _decode(self, z: int) -> Array:
        # The handle is closed between sections, so that none stays open or is shared; threads take turns. In an
        # OME-TIFF of several files, each section has the handle of its own file.
        handle = self._pages[z].parent.filehandle
        with self._lock, _complaints_are_errors(self._path):
            handle.open()
            try:
                return self._section(z)
            finally:
                handle.close()

    def _section(self, z: int) -> Array:
        page = self._pages[z]
        image: Array = page.asarray()
        if "S" in page.axes:
            image = grey_channel(np.moveaxis(image, page.axes.index("S"), -1), f"section {z} of {self._path}")
        return image.reshape(self.shape[1:])

    def _check_complete(self, offset: int | None) -> None:
        if offset is not None:
            path, end = self._path, offset + int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        else:
            last = self._pages[-1]
            path = Path(last.parent.filehandle.path)
            end = max(start + count for start, count in zip(last.dataoffsets, last.databytecounts, strict=True))
        if end > (size := path.stat().st_size):
            raise InputError(f"expected a complete TIFF of {end} bytes or more, got {size} in {path}")


def write_tiff(path: Path, dataset: str | None, source: Source, placement: Placement, progress: Unfinished) -> None:
    """Write an uncompressed stack that can be memory-mapped.

    ImageJ's metadata is used if ImageJ knows the type (uint8, uint16, float32), the file is below 4 GiB and no axis is
    one voxel long, because ImageJ would drop it. Otherwise a JSON description holds `voxel_size_nm` and `offset`.
    """
    nbytes = int(np.prod(source.shape, dtype=np.int64)) * source.dtype.itemsize
    is_big = nbytes > _CLASSIC_TIFF_BYTES
    size = placement.voxel_size_nm
    for_imagej = source.dtype.name in _IMAGEJ_TYPES and not is_big and min(source.shape) > 1
    # ImageJ gives an offset in voxels, so it needs a voxel size.
    for_imagej = for_imagej and (size is not None or not any(placement.offset_nm))
    metadata: dict[str, Any] = {"axes": "ZYX"}
    resolution = None
    if not for_imagej:
        metadata |= attributes_of(placement)
    elif size is not None:
        metadata |= {"spacing": size[0], "unit": "nm", **imagej_origin(placement)}
        resolution = tuple(_pixels_per_nm(length) for length in (size[2], size[1]))
    with replacing(path, unfinished=progress.output) as partial:
        tifffile.imwrite(
            partial,
            iterate_sections(source),
            shape=tuple(source.shape),
            dtype=source.dtype,
            photometric="minisblack",
            imagej=for_imagej,
            bigtiff=is_big,
            resolution=resolution,
            metadata=metadata,
        )


def _find_stack(file: tifffile.TiffFile, path: Path) -> tuple[tuple[int, ...], np.dtype[Any], list[Any], int | None]:
    """Return the stack's shape, type and pages, and the byte offset of its voxels if they are contiguous."""
    # By default tifffile checks only a few pages of a long stack and assumes that the others are alike.
    file.is_uniform = False
    series = file.series
    shapes = {(s.shape, s.dtype) for s in series}
    if len(series) > 1 and len(shapes) == 1 and len(series[0].shape) == 2:
        # Sections that were appended one by one are separate series.
        return (len(series), *series[0].shape), series[0].dtype, [s.pages[0] for s in series], None
    if len(series) != 1:
        raise InputError(f"expected one stack in {path}, got {len(series)} images of {len(shapes)} shapes")
    stack = series[0]
    shape = stack.shape
    if "S" in stack.axes:
        at = stack.axes.index("S")
        if shape[at] not in COLOUR_CHANNELS:
            raise InputError(f"expected grey values or colour, got {shape[at]} channels in shape {shape} in {path}")
        shape = shape[:at] + shape[at + 1 :]
    check_three_axes(shape, str(path))
    if set(stack.axes) - {"S"} == set("ZYX") and stack.axes.replace("S", "") != "ZYX":
        raise InputError(f"expected axes z, y, x, got {stack.axes} in {path}")
    if shape == stack.shape and stack.dataoffset is not None and file.pages.first.is_memmappable:
        return shape, stack.dtype, [], int(stack.dataoffset)
    pages = list(stack.pages)
    found = sum(page is not None for page in pages)
    if not len(pages) == found == shape[0]:
        raise InputError(f"expected one page for each of {shape[0]} sections, got {found} pages in {path}")
    return shape, stack.dtype, pages, None


@contextmanager
def _complaints_are_errors(path: Path) -> Iterator[None]:
    """Raise an `InputError` for what tifffile only logs: a broken chain of pages would yield a shorter stack."""
    handler = BufferingHandler(sys.maxsize)
    handler.setLevel(logging.ERROR)
    logger = tifffile.logger()
    logger.addHandler(handler)
    error: Exception | None = None
    try:
        yield
    except Exception as caught:  # the logged complaint says more than this consequence
        error = caught
    finally:
        logger.removeHandler(handler)
    if handler.buffer:
        raise InputError(f"expected a complete TIFF, got {path}: {handler.buffer[0].getMessage()}") from error
    if error is not None:
        raise error


def _pixels_per_nm(length_nm: float) -> tuple[int, int]:
    # TIFF stores numerator and denominator in 32 bits each.
    fraction = Fraction(length_nm).limit_denominator(max(min(10**6, int(2**31 / length_nm)), 1))
    return fraction.denominator, fraction.numerator
