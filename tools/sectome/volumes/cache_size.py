"""How much decoded data a process caches."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from sectome.checks import InputError

CACHE_VARIABLE = "SECTOME_CACHE_MB"
"""Environment variable: MiB that a process may use to cache decoded chunks, and again to cache decoded sections."""

_DEFAULT_MB = 512


def cache_bytes() -> int:
    """Return the capacity of a cache in bytes, over all volumes that share it.

    Raises:
        InputError: If `SECTOME_CACHE_MB` is not a whole number of at least 0.
    """
    text = os.environ.get(CACHE_VARIABLE, str(_DEFAULT_MB)).strip()
    if not text.isdecimal():
        raise InputError(f"{CACHE_VARIABLE} must be a whole number of MiB, got {text!r}")
    return int(text) * 2**20


def bytes_of_chunks(box: Sequence[int], shape: Sequence[int], chunk: Sequence[int], itemsize: int) -> int:
    """Return the most bytes that the chunks touching a box of this size can take, wherever the box lies."""
    chunks = (
        min((size - 2) // part + 2, -(-extent // part)) * part
        for size, extent, part in zip(box, shape, chunk, strict=True)
    )
    return itemsize * math.prod(chunks)
