"""A folder in an object store or on a web server, of which metadata are read as those of a local folder are."""

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
# What messages of tensorstore's errors begin with.
_STATUS = re.compile(r"[A-Z_]+: ")
_DENIED = ("PERMISSION_DENIED", "UNAUTHENTICATED")


class _Files:
    """Metadata files of one volume by their keys, None for those that are not there: each is fetched once."""

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
    """What readers need of a `Path`, for a key below the address of a volume.

    Folders of one volume share what was read, which a pickled volume takes along.

    Nothing is ever listed: an array's folder can hold millions of chunks, whose names would all be sent.

    Attributes:
        address: Of the volume, as the user wrote it.
        kvstore: Tensorstore's description of that place.
        key: Names below it, "" for the volume's own folder.
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
        """The folder around this one, the volume's own at most."""
        return replace(self, key=self.key.rpartition("/")[0])

    def is_dir(self) -> bool:
        """Return True: a store has no folders, only keys that begin alike."""
        return True

    def is_file(self) -> bool:
        """Return whether there is such a file, and it may be read."""
        fetch([self])
        return self._files.contents[self.key] is not None

    def read_bytes(self) -> bytes:
        """Return the content of a file, which must be there."""
        fetch([self])
        content = self._files.contents[self.key]
        if content is None:
            raise FileNotFoundError(str(self))
        return content

    def read_text(self, encoding: str) -> str:
        """Return the content of a file of text, which must be there."""
        return self.read_bytes().decode(encoding)

    def write_text(self, text: str, encoding: str) -> None:
        """Write a file at once."""
        content = text.encode(encoding)
        self._files().write(self.key, content).result()
        self._files.contents[self.key] = content

    def forget_absent(self) -> None:
        """Ask again for the files in this folder that were not there."""
        for key in [key for key, content in self._files.contents.items() if content is None]:
            if key.rpartition("/")[0] == self.key:
                del self._files.contents[key]

    @property
    def is_denied(self) -> bool:
        """Whether a file of the volume may not be read, or is not there and its absence may not be known."""
        return bool(self._files.denied)

    def known_files(self) -> list[PurePosixPath]:
        """Return the files below here that were found, by the names that lead to them."""
        found = (PurePosixPath(key) for key, content in self._files.contents.items() if content is not None)
        return [file.relative_to(self.key) for file in found if file.is_relative_to(self.key)]

    def remember(self, name: str, content: bytes | None) -> None:
        """Take the content of a file from another file that quotes it, None if it says that there is none."""
        self._files.contents.setdefault((self / name).key, content)


Place: TypeAlias = Path | StoreFolder
"""Where a volume in chunks lies."""


def open_address(address: str) -> StoreFolder:
    """Return the folder at an address; nothing is asked yet.

    Raises:
        InputError: If the address names no bucket or no host.
    """
    kvstore = kvstore_at(address.rstrip("/"))
    return StoreFolder(address.rstrip("/"), kvstore, "", _Files(kvstore))


def name_below(folder: Place, root: Place) -> str:
    """Return the names that lead from a folder to one inside of it, joined by slashes; "." from a folder to itself."""
    if isinstance(folder, StoreFolder) and isinstance(root, StoreFolder):
        return PurePosixPath(folder.key).relative_to(root.key).as_posix()
    return Path(str(folder)).relative_to(str(root)).as_posix()


def kvstore_of(place: Place) -> dict[str, Any]:
    """Return tensorstore's description of a folder."""
    if isinstance(place, Path):
        return {"driver": "file", "path": f"{place}/"}
    if not place.key:
        return place.kvstore
    return {**place.kvstore, "path": f"{place.kvstore.get('path', '')}{place.key}/"}


def reading_options(place: Place) -> dict[str, Any]:
    """Return how tensorstore keeps what it read: of a server, decoded chunks are not asked for again."""
    return {} if isinstance(place, Path) else {"recheck_cached_data": "open", "recheck_cached_metadata": "open"}


def fetch(files: Iterable[Place]) -> None:
    """Read files of a store at the same time, those that are not known yet; local files are left for later.

    A file that may not be read counts as absent, as S3 answers for an absent one where keys may not be listed.

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
            # A range without keys, which costs one request: only here does a store say that there is no such bucket.
            folder._files().list(type(folder._files()).KeyRange("\x00", "\x01")).result(timeout=_TIMEOUT_S)
        except (ValueError, TimeoutError, FutureTimeoutError) as error:
            if str(error).startswith("NOT_FOUND"):
                return store_error(error, str(folder))
    return InputError(f"expected a zarr, OME-Zarr, N5 or precomputed volume, got {folder}, where there is none")


@contextmanager
def errors_of_store(place: Place) -> Iterator[None]:
    """Turn what tensorstore raises about an object store into an `InputError`; other errors stay as they are."""
    try:
        yield
    except ValueError as error:
        if not isinstance(place, StoreFolder) or not _STATUS.match(str(error)):
            raise
        raise store_error(error, place.address) from error


def store_error(error: Exception, address: str) -> InputError:
    """Return what tensorstore says of a server, as one sentence."""
    text = first_line(error)
    if match := _CURL.search(text):
        return InputError(f"expected a server that answers, got {match['reason']} for {address}")
    if text.startswith(_DENIED):
        return denied(address)
    if "NoSuchBucket" in text or "Failed to resolve aws_region" in text:
        return InputError(f"expected a bucket that exists, got {address}, whose bucket does not")
    return InputError(
        f"expected a server that gives and takes files, got {text.partition(' [')[0][:200]} for {address}"
    )


def denied(address: str | StoreFolder) -> InputError:
    """Return the error for what the credentials do not allow."""
    return InputError(
        f"expected an address that may be read or written with the credentials at hand, got {address}, which is denied "
        "or not there"
    )
