"""Writing under a temporary name and renaming, so that nothing half-written carries the output's name."""

from __future__ import annotations

import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sectome.checks import InputError

_WAITS_SECONDS = (0.01, 0.1, 1.0)


@contextmanager
def replacing(path: Path, *, adds: bool = False, unfinished: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written there is renamed to `path` when the block ends well.

    An existing file or folder is replaced. If the block raises, the output stays as it was.

    Args:
        path: the output.
        adds: whether the block adds to a copy of the output, or starts an output that others may add to.
        unfinished: temporary path on the same file system; its content is kept if the block raises, to be resumed.

    Raises:
        InputError: if `adds` is set and another process has written the output since, or a file would replace a folder.
    """
    path = Path(os.path.realpath(path))  # replaces the target of a link, not the link
    before = stamp(path) if adds else None
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the process id: containers on several machines may have equal ones.
    own = uuid4().hex[:8]
    partial = unfinished or path.with_name(f".{path.name}.{own}.partial")
    replaced = path.with_name(f".{path.name}.{own}.replaced")
    try:
        yield partial
        if adds and stamp(path) != before:
            raise InputError(f"expected no other process to write {path} at the same time, got one: try again")
        if path.is_dir():  # a folder cannot be renamed over one that has content
            if not partial.is_dir():
                raise InputError(f"expected a file or nothing at {path}, got a folder, which stays as it is")
            os.rename(path, replaced)
        os.replace(partial, path)
    except BaseException:
        if unfinished is None:
            remove_failed(partial)
        if replaced.exists() and not path.exists():
            os.rename(replaced, path)
        raise
    _remove(replaced)


def remove_partials(path: Path) -> None:
    """Remove what processes that were killed while writing `path` have left beside it.

    Use it only if no other process may be writing this output now.
    """
    path = Path(os.path.realpath(path))
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        _remove(partial)


def stamp(path: Path) -> tuple[int, ...] | None:
    """Return values that change whenever a file is written, None if there is no file."""
    if not path.exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def remove_failed(path: Path) -> None:
    """Remove what a write has left, repeatedly: after a failed one, threads of tensorstore write on for a moment."""
    for seconds in _WAITS_SECONDS:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            time.sleep(seconds)
    if not path.is_dir():
        path.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
