"""A file that one process at a time may hold, on one machine or on many that see the same folders."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sectome.checks import InputError


@contextmanager
def locked(path: Path, in_use: str) -> Iterator[TextIO]:
    """Hold a file for this process, until it ends however it ends, and give it open to read and to append.

    Args:
        path: of the file; made if it is not there.
        in_use: the sentence to show where another process holds it.

    Raises:
        InputError: if another process does, or the file system has no locks.
    """
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(in_use) from None
        except OSError as error:
            raise InputError(
                f"a file system with locks (flock) was expected for {path}, got: {error.strerror}"
            ) from None
        yield file
