"""The archives of a set: downloaded, or taken from the user's folder, and checked."""

from __future__ import annotations

import os
from pathlib import Path

import pooch

from sectome.checks import InputError
from sectome.datasets.public_set import Archive, PublicSet
from sectome.datasets.resuming_download import bring


def download(archive: Archive, folder: Path) -> Path:
    """Download an archive into `folder` unless it is already there, check its checksum and return its path.

    The file is a `.part` until it has been checked, so that stopping the check does not lose the download.

    Raises:
        InputError: If the download fails, or brings another file, which is then removed.
    """
    path, part = folder / archive.name, folder / f"{archive.name}.part"
    if path.is_file() and _other_checksum(path, archive) is None:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    bring(archive.url, part)
    if found := _other_checksum(part, archive):
        part.unlink()
        raise InputError(
            f"expected the published {archive.name}, got another file from {archive.url}: {found}, "
            f"not {archive.checksum}"
        )
    os.replace(part, path)
    return path


def take_from(folder: Path, public: PublicSet) -> list[Path]:
    """Check the archives of a set that a user has downloaded by hand, and return their paths.

    Raises:
        InputError: If one is missing or has another checksum; it is left as it is.
    """
    paths = [folder / archive.name for archive in public.archives]
    for archive, path in zip(public.archives, paths, strict=True):
        if not path.is_file():
            raise InputError(f"expected {archive.name} in {folder}, got none; download it from {archive.url}")
    for archive, path in zip(public.archives, paths, strict=True):
        if found := _other_checksum(path, archive):
            raise InputError(
                f"expected the checksum {archive.checksum} of {path}, got {found}: it is not the published file"
            )
    return paths


def _other_checksum(path: Path, archive: Archive) -> str | None:
    """Return the checksum of a file if it differs from the archive's, else None."""
    print(f"checking {archive.name}", flush=True)
    algorithm, _, expected = archive.checksum.lower().partition(":")
    found = pooch.file_hash(str(path), alg=algorithm)
    return None if found == expected else f"{algorithm}:{found}"
