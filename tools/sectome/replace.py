"""Writing beside the output and renaming, so that nothing half-written carries its name."""

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
    """Give a temporary name beside `path`; what was written there takes the name when the block ends well.

    A file or folder that has the name until then is replaced. If the block raises, the output is as it was before.

    Args:
        path: the output.
        adds: whether the block adds to a copy of what is there, or begins what others may add to.
        unfinished: the temporary name, on the same file system; what is there stays if the block raises, to go on with.

    Raises:
        InputError: if it adds, and another process has written the output since.
    """
    path = Path(os.path.realpath(path))  # a link keeps pointing to the output
    before = stamp(path) if adds else None
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the number of the process: containers on several machines have the same ones.
    own = uuid4().hex[:8]
    partial = unfinished or path.with_name(f".{path.name}.{own}.partial")
    replaced = path.with_name(f".{path.name}.{own}.replaced")
    try:
        yield partial
        if adds and stamp(path) != before:
            raise InputError(f"expected no other process to write {path} at the same time, got one: do it again")
        if path.is_dir():  # a folder cannot be renamed over one that has content
            if not partial.is_dir():
                raise InputError(f"expected a file or nothing at {path}, got a folder, which stays as it is")
            os.rename(path, replaced)
        os.replace(partial, path)
    except BaseException:
        if unfinished is None:
            _remove_failed(partial)
        if replaced.exists() and not path.exists():
            os.rename(replaced, path)
        raise
    _remove(replaced)


def remove_partials(path: Path) -> None:
    """Remove what processes that were killed in the middle of writing `path` have left beside it.

    For an output that no other process may be writing now.
    """
    path = Path(os.path.realpath(path))
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        _remove(partial)


def stamp(path: Path) -> tuple[int, ...] | None:
    """Return what changes whenever a file is written, None without one."""
    if not path.exists():
        return None
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _remove_failed(path: Path) -> None:
    """Remove what a write that failed has left: threads of tensorstore put files and folders there a moment longer."""
    for seconds in _WAITS_SECONDS:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            time.sleep(seconds)
    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
