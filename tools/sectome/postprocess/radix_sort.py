"""Compiled, stable radix sort of 64-bit words by their high bits, much faster than a comparison sort."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sorted_by_high_bits(words: Any, key_bits: int) -> Any:
    """Return the (N,) uint64 words in stable order of their highest `key_bits` (24 or 32).

    The input is overwritten.
    """
    rounds = 2 if key_bits <= 24 else 3
    digit_bits = np.uint64((key_bits + rounds - 1) // rounds)
    digits = 1 << digit_bits
    source, target = words, np.empty_like(words)
    for number in range(rounds):
        # The digits start at bit 64 - key_bits. If `key_bits` does not divide evenly, the last one has fewer bits.
        shift = np.uint64(64 - key_bits) + np.uint64(number) * digit_bits
        places = np.zeros(digits + 1, np.int64)
        for word in source:
            places[((word >> shift) & np.uint64(digits - 1)) + np.uint64(1)] += 1
        places = np.cumsum(places)
        for word in source:
            digit = (word >> shift) & np.uint64(digits - 1)
            target[places[digit]] = word
            places[digit] += 1
        source, target = target, source
    return source
