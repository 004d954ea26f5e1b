"""Unpacking of downloads into one folder."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from sectome.checks import InputError
from sectome.datasets.progress_bar import progress_bar


def unpack(archive: Path, folder: Path, *, may_link: bool = False) -> None:
    """Unpack a .zip into `folder`; put any other file there as it is.

    Args:
        archive: The downloaded file, which is kept.
        folder: Destination folder.
        may_link: Whether a file may be hard-linked instead of copied; not for a user's own archives.

    Raises:
        InputError: If the archive is damaged or a member would leave the folder.
    """
    if archive.suffix.lower() == ".zip":
        try:
            _unzip(archive, folder)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise InputError(f"expected a readable archive, got {archive}: {error}") from error
        return
    try:
        if may_link:
            os.link(archive, folder / archive.name)
            return
    except OSError:  # a file system without hard links
        pass
    shutil.copyfile(archive, folder / archive.name)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        for member in members:
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in member.filename:
                raise InputError(f"expected members below one folder, got {member.filename!r} in {archive}")
        total = sum(member.file_size for member in members)
        with progress_bar(f"unpack {archive.name}", total) as bar:
            for member in members:
                file.extract(member, folder)
                bar.update(member.file_size)
