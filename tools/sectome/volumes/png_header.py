"""The first bytes of a PNG, which give its shape without decoding it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Channels by colour type: grey, RGB, palette of RGB, grey with alpha, RGB with alpha."""


def read_png_header(path: Path) -> tuple[tuple[int, int], np.dtype[Any], int]:
    """Return a PNG's shape (Y, X), voxel type and number of channels, alpha included.

    Raises:
        ValueError: If the file is not a PNG.
    """
    with open(path, "rb") as file:
        start = file.read(26)
    if len(start) < 26 or not start.startswith(_SIGNATURE):
        raise ValueError("it does not start as a PNG does")
    width, height, bits, colour_type = struct.unpack(">IIBB", start[16:26])
    return (height, width), np.dtype(np.uint16 if bits == 16 else np.uint8), _CHANNELS.get(colour_type, 1)
