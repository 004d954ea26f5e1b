"""A cache of decoded sections: crops of compressed images need the same sections again and again."""

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
    """The sections of a volume, with a least-recently-used cache.

    Args:
        decode: returns section z as a new array (Y, X).
        shape: voxels of the volume along (z, y, x).
        dtype: type of its voxels.
    """

    def __init__(self, decode: Callable[[int], Array], shape: Shape3, dtype: np.dtype[Any]) -> None:
        self._decode = decode
        self._shape = shape
        self._dtype = dtype
        # This volume's key in the shared cache; its `id` could be reused after it is deleted.
        self._name = object()
        self._own_cache: _Latest | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_own_cache": None}

    def read(self, z: slice, y: slice, x: slice) -> Array:
        """Return a box (Z, Y, X) as a new array, decoding missing sections in several threads.

        Whole sections bypass the shared cache if it cannot hold the entire volume.
        """
        sections, rows, columns = (range(part.start, part.stop, part.step) for part in (z, y, x))
        voxels = np.empty((len(sections), len(rows), len(columns)), self._dtype)
        has_room = self._own_cache is not None or self._nbytes(self._shape[0]) <= cache_bytes()
        walks = voxels.shape[1:] == self._shape[1:] and not has_room

        def put(place: int) -> None:
            voxels[place] = (self._decode(sections[place]) if walks else self._kept(sections[place]))[y, x]

        missing = sum(walks or (self._name, number) not in self._cache() for number in sections)
        threads = threads_for(missing, self._nbytes(1))
        if threads == 1:
            for place in range(len(sections)):
                put(place)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(put, range(len(sections))))
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
    """A thread-safe least-recently-used cache of arrays by key, limited in bytes."""

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
        # A view would keep its whole base array alive.
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
    """Return this process's shared cache; one inherited through a fork could stay locked forever."""
    global _shared
    if _shared is None or _shared.process != os.getpid():
        _shared = _Latest(cache_bytes())
    return _shared
