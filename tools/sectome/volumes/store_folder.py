"""A folder in an object store or on a web server, whose metadata are read like those of a local folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from sectome.checks import InputError, first_line
from sectome.volumes.store_address import kvstore_at
from sectome.volumes.tensorstore_process import open_kvstore

_TIMEOUT_S = 30
_CURL = re.compile(r"CURL error (?P<reason>.*?)(?: \[|$)")
# Error messages of tensorstore begin with a status code.
_STATUS = re.compile(r"[A-Z_]+: ")
_DENIED = ("PERMISSION_DENIED", "UNAUTHENTICATED")


class _Files:
    """Cache of a volume's metadata files by key, None for files that do not exist; each is fetched once."""

    def __init__(self, kvstore: dict[str, Any]) -> None:
        self.contents: dict[str, bytes | None] = {}
        self.denied: set[str] = set()
        self._kvstore = kvstore
        self._open: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}

    def __call__(self) -> Any:
        """Return the open store."""
        if self._open is None:
            self._open = open_kvstore(self._kvstore)
        return self._open


@dataclass(frozen=True)
class StoreFolder:
    """The part of `Path` that readers need, for a key below the address of a volume.

    Folders of one volume share a cache of metadata files, which is pickled with the volume.

    Folders are never listed: an array can have millions of chunks, and the server would send all their names.

    Attributes:
        address: Address of the volume as the user wrote it.
        kvstore: Tensorstore's key-value store spec of the address.
        key: Path relative to the address; "" for the volume's own folder.
    """

    address: str
    kvstore: dict[str, Any] = field(compare=False)
    key: str
    _files: _Files = field(compare=False)

    def __str__(self) -> str:
        return f"{self.address}/{self.key}" if self.key else self.address

    def __truediv__(self, name: str) -> StoreFolder:
        return replace(self, key=f"{self.key}/{name}" if self.key else name)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return str(self).rpartition("/")[2]

    @property
    def parent(self) -> StoreFolder:
        """The enclosing folder; the volume's own folder is its own parent."""
        return replace(self, key=self.key.rpartition("/")[0])

    def is_dir(self) -> bool:
        """Return True: a store has no folders, only keys with a common prefix."""
        return True

    def is_file(self) -> bool:
        """Return whether the file exists and may be read."""
        fetch([self])
        return self._files.contents[self.key] is not None

    def read_bytes(self) -> bytes:
        """Return the content of a file, which must exist."""
        fetch([self])
        content = self._files.contents[self.key]
        if content is None:
            raise FileNotFoundError(str(self))
        return content

    def read_text(self, encoding: str) -> str:
        """Return the content of a text file, which must exist."""
        return self.read_bytes().decode(encoding)

    def write_text(self, text: str, encoding: str) -> None:
        """Write a text file at once."""
        content = text.encode(encoding)
        self._files().write(self.key, content).result()
        self._files.contents[self.key] = content

    def forget_absent(self) -> None:
        """Forget which files of this folder are absent."""
        for key in [key for key, content in self._files.contents.items() if content is None]:
            if key.rpartition("/")[0] == self.key:
                del self._files.contents[key]

    @property
    def is_denied(self) -> bool:
        """Whether access to a file of the volume was denied, which may also mean that it does not exist."""
        return bool(self._files.denied)

    def known_files(self) -> list[PurePosixPath]:
        """Return the files below this folder that are known to exist, as relative paths."""
        found = (PurePosixPath(key) for key, content in self._files.contents.items() if content is not None)
        return [file.relative_to(self.key) for file in found if file.is_relative_to(self.key)]

    def remember(self, name: str, content: bytes | None) -> None:
        """Cache the content of a file that another file quotes; None records that it does not exist."""
        self._files.contents.setdefault((self / name).key, content)


Place: TypeAlias = Path | StoreFolder
"""Location of a chunked volume, local or on a server."""


def open_address(address: str) -> StoreFolder:
    """Return the folder at an address, without asking the server.

    Raises:
        InputError: If the address names no bucket or no host.
    """
    kvstore = kvstore_at(address.rstrip("/"))
    return StoreFolder(address.rstrip("/"), kvstore, "", _Files(kvstore))


def name_below(folder: Place, root: Place) -> str:
    """Return the path of a folder relative to `root`, joined by slashes; "." for `root` itself."""
    if isinstance(folder, StoreFolder) and isinstance(root, StoreFolder):
        return PurePosixPath(folder.key).relative_to(root.key).as_posix()
    return Path(str(folder)).relative_to(str(root)).as_posix()


def kvstore_of(place: Place) -> dict[str, Any]:
    """Return tensorstore's key-value store spec of a folder."""
    if isinstance(place, Path):
        return {"driver": "file", "path": f"{place}/"}
    if not place.key:
        return place.kvstore
    return {**place.kvstore, "path": f"{place.kvstore.get('path', '')}{place.key}/"}


def reading_options(place: Place) -> dict[str, Any]:
    """Return tensorstore's caching options: on a server, decoded chunks are not revalidated."""
    return {} if isinstance(place, Path) else {"recheck_cached_data": "open", "recheck_cached_metadata": "open"}


def fetch(files: Iterable[Place]) -> None:
    """Fetch those files of a store that are not cached yet, concurrently; local files are skipped.

    A file that may not be read counts as absent: S3 denies access to absent keys too if keys may not be listed.

    Raises:
        InputError: If the server does not answer, or answers with an error.
    """
    wanted = {
        file.key: file for file in files if isinstance(file, StoreFolder) and file.key not in file._files.contents
    }
    answers = {key: file._files().read(key) for key, file in wanted.items()}
    for key, file in wanted.items():
        try:
            answer = answers[key].result(timeout=_TIMEOUT_S)
            file._files.contents[key] = answer.value if answer.state == "value" else None
        except (TimeoutError, FutureTimeoutError):
            raise InputError(f"expected a server that answers, got none within {_TIMEOUT_S} s for {file}") from None
        except ValueError as error:
            if not str(error).startswith(_DENIED):
                raise store_error(error, str(file)) from error
            file._files.contents[key] = None
            file._files.denied.add(key)


def why_nothing(folder: StoreFolder) -> InputError:
    """Return the error for an address at which no volume was found."""
    if folder.is_denied:
        return denied(folder)
    if folder.kvstore["driver"] != "http":
        try:
            # Listing an empty key range costs one request, and only a listing reveals that the bucket does not exist.
            folder._files().list(type(folder._files()).KeyRange("\x00", "\x01")).result(timeout=_TIMEOUT_S)
        except (ValueError, TimeoutError, FutureTimeoutError) as error:
            if str(error).startswith("NOT_FOUND"):
                return store_error(error, str(folder))
    return InputError(f"expected a zarr, OME-Zarr, N5 or precomputed volume, got {folder}, where there is none")


@contextmanager
def errors_of_store(place: Place) -> Iterator[None]:
    """Turn tensorstore's errors about an object store into an `InputError`; other errors pass unchanged."""
    try:
        yield
    except ValueError as error:
        if not isinstance(place, StoreFolder) or not _STATUS.match(str(error)):
            raise
        raise store_error(error, place.address) from error


def store_error(error: Exception, address: str) -> InputError:
    """Return tensorstore's error about a server as an `InputError`."""
    text = first_line(error)
    if match := _CURL.search(text):
        return InputError(f"expected a server that answers, got {match['reason']} for {address}")
    if text.startswith(_DENIED):
        return denied(address)
    if "NoSuchBucket" in text or "Failed to resolve aws_region" in text:
        return InputError(f"expected a bucket that exists, got {address}, whose bucket does not")
    return InputError(
        f"expected a server that accepts reads and writes, got {text.partition(' [')[0][:200]} for {address}"
    )


def denied(address: str | StoreFolder) -> InputError:
    """Return the error for an address that the credentials do not open."""
    return InputError(
        f"expected an address that the available credentials may read or write, got {address}, which is denied or does "
        "not exist"
    )
