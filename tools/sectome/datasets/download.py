"""The archives of a set: downloaded by pooch, or taken from the user's folder, and checked."""

from __future__ import annotations

import logging
from pathlib import Path

import pooch

from sectome.checks import InputError
from sectome.datasets.public_set import Archive, PublicSet
from sectome.datasets.resuming_downloader import ResumingDownloader


def download(archive: Archive, folder: Path) -> Path:
    """Return the archive in `folder`, downloaded unless it is there already, with the published checksum.

    Raises:
        InputError: If it cannot be had, or what came is another file, which is removed.
    """
    # pooch logs each download although the progress bar says the same.
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        return Path(
            pooch.retrieve(
                archive.url,
                archive.checksum,
                fname=archive.name,
                path=folder,
                downloader=ResumingDownloader(folder / f"{archive.name}.part"),
            )
        )
    except InputError:
        raise
    except ValueError as error:
        # pooch deletes a file whose checksum is wrong.
        raise InputError(
            f"expected the published {archive.name}, got another file from {archive.url}: {error}"
        ) from None


def take_from(folder: Path, public: PublicSet) -> list[Path]:
    """Return the archives of a set that a user has downloaded by hand.

    Raises:
        InputError: If one is absent or has another checksum; it is left as it is.
    """
    paths = [folder / archive.name for archive in public.archives]
    for archive, path in zip(public.archives, paths, strict=True):
        if not path.is_file():
            raise InputError(f"expected {archive.name} in {folder}, got none; it is at {archive.url}")
    for archive, path in zip(public.archives, paths, strict=True):
        algorithm, _, expected = archive.checksum.partition(":")
        print(f"checking {path}", flush=True)
        if (found := pooch.file_hash(str(path), alg=algorithm)) != expected:
            raise InputError(f"expected {algorithm} {expected} of {path}, got {found}: it is not the published file")
    return paths
