"""Sections that are decoded as a whole, and kept: crops of compressed images ask for the same ones again and again."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from sectome.cores import threads_for
from sectome.types import Array, Shape3
from sectome.volumes.cache_size import cache_bytes


class DecodedSections:
    """The sections of a volume, of which those that were read last stay in memory.

    Args:
        decode: returns section z, (Y, X), a new array.
        shape: voxels (Z, Y, X) of the volume.
        dtype: of its voxels.
    """

    def __init__(self, decode: Callable[[int], Array], shape: Shape3, dtype: np.dtype[Any]) -> None:
        self._decode = decode
        self._shape = shape
        self._dtype = dtype
        # The key of this volume in a cache that others share; its `id` could be another's later.
        self._name = object()
        self._own_cache: _Latest | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_own_cache": None}

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X), a new array; threads share out what is not in memory.

        Whole sections are not kept where the cache cannot hold what will be asked for again.
        """
        sections, rows, columns = (range(part.start, part.stop, part.step) for part in (z, y, x))
        voxels = np.empty((len(sections), len(rows), len(columns)), self._dtype)
        has_room = self._own_cache is not None or self._nbytes(self._shape[0]) <= cache_bytes()
        walks = voxels.shape[1:] == self._shape[1:] and not has_room

        def put(place: int) -> None:
            voxels[place] = (self._decode(sections[place]) if walks else self._kept(sections[place]))[y, x]

        missing = []
        for place, number in enumerate(sections):
            if not walks and (self._name, number) in self._cache():
                put(place)
            else:
                missing.append(place)
        threads = threads_for(len(missing), max(1, self._nbytes(1)))
        if threads == 1:
            for place in missing:
                put(place)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(put, missing))
        return voxels

    def keep_chunks_of(self, box: Shape3) -> None:
        """See `Volume.keep_chunks_of`."""
        if (needed := self._nbytes(min(box[0], self._shape[0]))) <= cache_bytes():
            self._own_cache = _Latest(needed)

    def _nbytes(self, sections: int) -> int:
        return sections * self._shape[1] * self._shape[2] * self._dtype.itemsize

    def _cache(self) -> _Latest:
        return self._own_cache or _shared_by_all()

    def _kept(self, number: int) -> Array:
        return self._cache().get((self._name, number), lambda: self._decode(number))


class _Latest:
    """Arrays by key: those that were asked for last, of so many bytes at most. Threads may share it."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._arrays: OrderedDict[Any, Array] = OrderedDict()
        self._lock = threading.Lock()
        self.process = os.getpid()

    def __contains__(self, key: Any) -> bool:
        return key in self._arrays

    def get(self, key: Any, make: Callable[[], Array]) -> Array:
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        # A view would keep all that it is a part of.
        made = np.ascontiguousarray(make())
        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = made
                self._bytes += made.nbytes
            while self._bytes > self._most_bytes:
                self._bytes -= self._arrays.popitem(last=False)[1].nbytes
        return made


_shared: _Latest | None = None


def _shared_by_all() -> _Latest:
    """Return the cache of this process; that of the one it was forked from could be locked for ever."""
    global _shared
    if _shared is None or _shared.process != os.getpid():
        _shared = _Latest(cache_bytes())
    return _shared
