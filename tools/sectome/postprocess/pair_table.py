"""A compiled hash table from pairs of fragments to places in other arrays: open addressing, linear probing.

Numba recompiles a cached function when its own file changes, not when this one does: after a change here, delete the
`__pycache__` of those that import it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

EMPTY = np.int64(-1)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True, inline="always")
def pair_key(one: int, other: int) -> int:
    """Return one key for two ids below 2**31, in either order; keys sort by the smaller id, then the larger."""
    return (min(one, other) << 32) | max(one, other)


@njit(cache=True, nogil=True, inline="always")
def find_slot(keys: Any, key: int) -> int:
    """Return where the key is, or the empty slot where it belongs; `keys` has 2**n slots and at least one is empty."""
    mask = keys.size - 1
    # Neighbouring fragments have neighbouring ids: without a multiplicative hash (Knuth) they would pile up.
    place = np.int64((np.uint64(key) * _GOLDEN) >> np.uint64(32)) & mask
    while keys[place] != EMPTY and keys[place] != key:
        place = (place + 1) & mask
    return place
