"""How much decoded data a process keeps."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from sectome.checks import InputError

CACHE_VARIABLE = "SECTOME_CACHE_MB"
"""Environment variable: MiB of decoded chunks, and as many of decoded sections, that a process keeps at most."""

_DEFAULT_MB = 512


def cache_bytes() -> int:
    """Return how many bytes a cache may hold, over all volumes that share it.

    Raises:
        InputError: If `SECTOME_CACHE_MB` is no whole number from 0 on.
    """
    text = os.environ.get(CACHE_VARIABLE, str(_DEFAULT_MB)).strip()
    if not text.isdecimal():
        raise InputError(f"{CACHE_VARIABLE} must be a whole number of MiB, got {text!r}")
    return int(text) * 2**20


def bytes_of_chunks(box: Sequence[int], shape: Sequence[int], chunk: Sequence[int], itemsize: int) -> int:
    """Return what the chunks that a box of this size can touch take, all along the same axes, wherever it lies."""
    chunks = (
        min((size - 2) // part + 2, -(-extent // part)) * part
        for size, extent, part in zip(box, shape, chunk, strict=True)
    )
    return itemsize * math.prod(chunks)
