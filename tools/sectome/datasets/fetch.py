"""Fetching of a public set into a folder that an overlay can use."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sectome.checks import InputError
from sectome.datasets.check_volume import check_volume
from sectome.datasets.download import download, take_from
from sectome.datasets.full_disk import check_room, disk_errors_said
from sectome.datasets.public_set import PublicSet, PublicVolume
from sectome.datasets.unpack import unpack
from sectome.file_lock import locked
from sectome.json_object import write_json
from sectome.replace import remove_partials, replacing
from sectome.volumes import write_volume

RECORD = "dataset.json"
LOCK = ".fetching"


def fetch(public: PublicSet, to: str | os.PathLike[str], archives: str | os.PathLike[str] | None = None) -> Path:
    """Download, unpack and check a public set, and return its folder `to`/NAME; do nothing if it is already there.

    Downloads are kept in `to`/NAME.download until the set is complete, so that an interrupted call can be resumed. The
    folder gets its name once everything in it has been checked and `dataset.json` records it.

    Args:
        public: The set to fetch, usually one of `ALL_SETS`.
        to: Folder that holds the sets.
        archives: Folder with archives that were downloaded by hand; nothing is downloaded then.

    Raises:
        InputError: If another call is fetching the set, a download fails or is not the published file, the disk is
            full, the set is not as expected, or something else occupies its folder.
    """
    folder, downloads = Path(to) / public.name, Path(to) / f"{public.name}.download"
    if _is_fetched(folder, public):
        if archives is None:
            # Left by a call that was killed after the set got its name.
            shutil.rmtree(downloads, ignore_errors=True)
        print(f"{public.name} is in {folder} already: nothing to do")
        return folder
    with disk_errors_said(Path(to)):
        if archives is None:
            _download_and_build(public, folder, downloads)
        else:
            check_room(Path(to), public.unpacked_bytes)
            paths = take_from(Path(archives), public)
            with replacing(folder) as partial:
                _build(public, paths, partial, may_link=False)
    return folder


def _download_and_build(public: PublicSet, folder: Path, downloads: Path) -> None:
    def check() -> None:
        check_room(folder.parent, public.download_bytes - _arrived(downloads) + public.unpacked_bytes)

    if not downloads.is_dir():  # before any folder is created
        check()
    downloads.mkdir(parents=True, exist_ok=True)
    in_use = f"expected no other process that fetches {public.name} to {folder}, got one: wait until it ends"
    with locked(downloads / LOCK, in_use, must_lock=False):
        try:
            # What a killed call had unpacked occupies the disk space that is needed now.
            remove_partials(folder)
            check()
            paths = [download(archive, downloads) for archive in public.archives]
            with replacing(folder) as partial:
                _build(public, paths, partial, may_link=True)
            shutil.rmtree(downloads)
        finally:
            if [path.name for path in downloads.glob("*")] == [LOCK]:
                shutil.rmtree(downloads)


def _is_fetched(folder: Path, public: PublicSet) -> bool:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not (folder / RECORD).is_file():
        raise InputError(f"expected nothing or a fetched set at {folder}, got something without {RECORD}")
    for volume in public.volumes:
        if not (folder / volume.file).exists():
            raise InputError(f"expected {volume.file} in {folder}, got none: remove the folder and fetch again")
    return True


def _arrived(downloads: Path) -> int:
    return sum(file.stat().st_size for file in downloads.glob("*")) if downloads.is_dir() else 0


def _build(public: PublicSet, archives: list[Path], folder: Path, may_link: bool) -> None:
    unpacked = folder / ".unpacked"
    unpacked.mkdir(parents=True)
    for archive in archives:
        unpack(archive, unpacked, may_link=may_link)
    for volume in public.volumes:
        _place(public, volume, unpacked, folder)
    shutil.rmtree(unpacked)
    found = {volume.path: check_volume(folder, public, volume) for volume in public.volumes}
    write_json(_describe(public, found), folder / RECORD)


def _place(public: PublicSet, volume: PublicVolume, unpacked: Path, folder: Path) -> None:
    target = folder / volume.file
    if volume.make is not None:
        write_volume(folder / volume.path, volume.make(unpacked), voxel_size_nm=public.voxel_size_nm)
        return
    if target.exists():  # another dataset of the same container
        return
    if not (unpacked / volume.file).is_file():
        raise InputError(f"expected {volume.file} in the archives of {public.name}, got none")
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(unpacked / volume.file, target)


def _describe(public: PublicSet, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": public.name,
        "title": public.title,
        "voxel_size_nm": list(public.voxel_size_nm),
        "volumes": found,
        "archives": {archive.name: {"url": archive.url, "checksum": archive.checksum} for archive in public.archives},
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "terms": public.terms,
        "citation": public.citation,
        "traps": list(public.traps),
    }
