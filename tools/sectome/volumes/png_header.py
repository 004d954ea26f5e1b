"""The first bytes of a PNG, which tell its shape without decoding it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_png_header(path: Path) -> tuple[tuple[int, int], np.dtype[Any]]:
    """Return the shape (Y, X) and the type of a PNG's voxels.

    Raises:
        ValueError: If the file is no PNG.
    """
    with open(path, "rb") as file:
        start = file.read(25)
    if len(start) < 25 or not start.startswith(_SIGNATURE):
        raise ValueError("it does not start as a PNG does")
    width, height, bits = struct.unpack(">IIB", start[16:25])
    return (height, width), np.dtype(np.uint16 if bits == 16 else np.uint8)
