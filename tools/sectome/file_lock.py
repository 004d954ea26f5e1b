"""A file that one process at a time may hold, on one machine or on many that see the same folders."""

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
    """Hold a file for this process, until it ends however it ends, and give it open to read and to append.

    Args:
        path: of the file; made if it is not there.
        in_use: the sentence to show where another process holds it.
        must_lock: whether a file system without locks is refused; else it is warned of.

    Raises:
        InputError: if another process does, or the file system has no locks and must have them.
    """
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(in_use) from None
        except OSError as error:
            no_locks = f"a file system with locks (flock) was expected for {path}, got: {error.strerror}"
            if must_lock:
                raise InputError(no_locks) from None
            warnings.warn(f"{no_locks}; nothing keeps other processes away", UserWarning, stacklevel=4)
        yield file
