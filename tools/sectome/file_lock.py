"""A lock file that one process at a time may hold, on one machine or on several that share folders."""

from __future__ import annotations

import fcntl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sectome.checks import InputError


@contextmanager
def locked(path: Path, in_use: str, *, must_lock: bool = True) -> Iterator[TextIO]:
    """Lock a file until the block or the process ends, and yield it open for reading and appending.

    Args:
        path: the file; created if it is missing.
        in_use: message for the error if another process holds it.
        must_lock: whether a file system without locks is an error; else it is a warning.

    Raises:
        InputError: if another process holds the file, or the file system has no locks and `must_lock` is set.
    """
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(in_use) from None
        except OSError as error:
            no_locks = f"expected a file system with locks (flock) for {path}, got: {error.strerror}"
            if must_lock:
                raise InputError(no_locks) from None
            warnings.warn(f"{no_locks}; other processes are not kept away", UserWarning, stacklevel=4)
        yield file
