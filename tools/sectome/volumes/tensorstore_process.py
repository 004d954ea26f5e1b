"""The one process that may use tensorstore, and the cache that all its volumes share.

tensorstore runs threads, which a fork does not copy: the library aborts a forked child that uses it after its parent
did. Opening a local chunked volume therefore reads only JSON, so a forked child may read voxels as long as its parent
has not. A volume on a server uses tensorstore already when opened. If the parent has used it, the child gets an error
message instead of the abort.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorstore as ts

from sectome.checks import InputError
from sectome.volumes.cache_size import bytes_of_chunks, cache_bytes

# The library's default of 32 attempts takes minutes if a server is gone. Give up on a server that never answered after
# two seconds. One that has answered gets most of a minute, so that a long run survives a short outage.
_FIRST_TRIES = {"max_retries": 3, "initial_delay": "200ms", "max_delay": "1s"}
_TRIES = {"max_retries": 10, "initial_delay": "200ms", "max_delay": "8s"}

_SYSTEM_ERROR = re.compile(r"os_error_code='(\d+)'")

_process: int | None = None
_context: ts.Context | None = None


class LazyStore:
    """A tensorstore that is opened on its first use, by the calling process."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._store: Any = None

    def __call__(self) -> Any:
        """Return the open store.

        Raises:
            InputError: If this process was forked from one that used tensorstore.
        """
        check_not_forked()
        if self._store is None:
            self._store = open_store(self._spec, open=True, read=True)
        return self._store

    def keep_chunks_of(self, box: Sequence[int]) -> None:
        """Cache at most the decoded chunks that a box of this size can touch, apart from the shared cache.

        This store's data in the shared cache are freed once no other store that is open now is in use.

        Args:
            box: box size along the store's axes as stored.
        """
        global _context
        store = self()
        chunk = store.chunk_layout.read_chunk.shape
        needed = bytes_of_chunks(box, store.shape, chunk, store.dtype.numpy_dtype.itemsize)
        self._spec |= {"cache_pool": {"total_bytes_limit": min(needed, cache_bytes())}}
        self._store = _context = None


def open_store(spec: dict[str, Any], *, cached: bool = True, **options: Any) -> Any:
    """Open a tensorstore with the shared cache, unless `cached` is false or `write` is true.

    Raises:
        InputError: If this process was forked from one that used tensorstore, or `SECTOME_CACHE_MB` is not a number.
    """
    check_not_forked()
    # Whole chunks are written once, so caching them would only waste memory.
    context = _reading_context() if cached and not options.get("write") else ts.Context(_servers(_TRIES))
    return finish(ts.open(spec, context=context, **options))


def finish(future: Any) -> Any:
    """Wait for a tensorstore future and return its result.

    Raises:
        OSError: If the system refuses it, for example on a full disk.
    """
    try:
        return future.result()
    except ValueError as error:
        if (refused := _SYSTEM_ERROR.search(str(error))) is None:
            raise
        number = int(refused[1])
        raise OSError(number, os.strerror(number)) from error


def open_kvstore(spec: dict[str, Any]) -> Any:
    """Open a key-value store that gives up soon if its server does not answer.

    Raises:
        InputError: If this process was forked from one that used tensorstore.
    """
    check_not_forked()
    return ts.KvStore.open(spec, context=ts.Context(_servers(_FIRST_TRIES))).result()


def zarr_spec(path: Path) -> dict[str, Any]:
    """Return tensorstore's spec of a local zarr v3 array, without `..` in its path, which tensorstore rejects."""
    return {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{os.path.realpath(path)}/"}}


def open_zarr(path: Path, *, write: bool = False) -> Any:
    """Open an existing local zarr v3 array without a cache, to write or to read large boxes once."""
    return open_store(zarr_spec(path), open=True, cached=False, read=not write, write=write)


def check_not_forked() -> None:
    """Raise an `InputError` if this process was forked from one that used tensorstore."""
    global _process
    if _process not in (None, os.getpid()):
        raise InputError(
            "expected a process that was not forked after reading or writing zarr, n5 or precomputed, got one that "
            "was: start the workers with multiprocessing_context='forkserver' or 'spawn', or read for the first time "
            "inside them"
        )
    _process = os.getpid()


def _reading_context() -> ts.Context:
    global _context
    if _context is None:
        _context = ts.Context({"cache_pool": {"total_bytes_limit": cache_bytes()}, **_servers(_TRIES)})
    return _context


def _servers(tries: dict[str, Any]) -> dict[str, Any]:
    credentials = {f"aws_credentials#{kind}": {"type": kind} for kind in ("anonymous", "default", "environment")}
    return {f"{driver}_request_retries": tries for driver in ("http", "s3", "gcs")} | credentials
