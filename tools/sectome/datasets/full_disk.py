"""Disk space: checked before a download, and reported in one sentence if it runs out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sectome.checks import InputError, is_full


def check_room(folder: Path, nbytes: int) -> None:
    """Raise an `InputError` if fewer than `nbytes` bytes are free on the disk where `folder` is or will be."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < nbytes:
        raise InputError(f"expected about {nbytes / 1e9:.2f} GB of free disk at {folder}, got {free / 1e9:.2f} GB")


@contextmanager
def disk_errors_said(folder: Path) -> Iterator[None]:
    """Turn an `OSError` while writing into an `InputError` that says what to do."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise InputError(
                f"expected free space on the disk of {folder}, got none: what was downloaded is kept, so free some "
                "space and run the same command again"
            ) from error
        raise InputError(f"expected a writable folder, got {folder}: {error}") from error
