"""Downloads over HTTP that resume after a broken connection."""

from __future__ import annotations

import re
import time
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from sectome.checks import InputError, is_full
from sectome.datasets.progress_bar import progress_bar

ATTEMPTS = 5
"""Consecutive attempts without new data after which a download fails."""

WAIT_SECONDS = 1.0
"""Pause before a new attempt, doubled after each one without new data."""

_TIMEOUT_SECONDS = 60.0
_CHUNK_BYTES = 2**20
_RANGE_NOT_SATISFIABLE = 416


def bring(url: str, part: Path) -> None:
    """Download a whole file into `part`, resuming where it ends; what has arrived is kept for later calls.

    Raises:
        InputError: If the server refuses, or several attempts in a row bring nothing.
        OSError: If the disk is full.
    """
    failures = 0
    while failures < ATTEMPTS:
        before = _size(part)
        reason = "the connection was closed"
        try:
            if _go_on(url, part):
                return
        except HTTPError as error:
            error.close()
            if error.code < 500:
                raise InputError(f"expected a file at {url}, got HTTP {error.code} {error.reason}") from None
            reason = f"HTTP {error.code} {error.reason}"
        except (HTTPException, OSError) as error:
            if is_full(error):
                raise
            reason = str(error) or type(error).__name__
        failures = 0 if _size(part) > before else failures + 1
        if failures < ATTEMPTS:
            wait = WAIT_SECONDS * 2**failures
            print(f"{part.stem}: {reason}; trying again in {wait:g} s", flush=True)
            time.sleep(wait)
    raise InputError(
        f"could not download {url}: {reason}; {_size(part)} bytes are kept: run the same command again to continue, or "
        "give --archives with a folder of what you downloaded by hand"
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _go_on(url: str, part: Path) -> bool:
    """Request the missing bytes; return whether the file is complete."""
    have = _size(part)
    request = Request(url, headers={"User-Agent": "sectome", **({"Range": f"bytes={have}-"} if have else {})})
    try:
        response = urlopen(request, timeout=_TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code != _RANGE_NOT_SATISFIABLE or not have:
            raise
        error.close()
        # Either the part is complete, or it belongs to another file.
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return True
        part.unlink()
        return False
    with response:
        return _receive(response, part, have)


def _receive(response: HTTPResponse, part: Path, have: int) -> bool:
    answer = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    goes_on = response.status == 206 and answer is not None and int(answer[1]) == have
    if response.status == 206 and not goes_on:
        part.unlink()
        return False
    if goes_on:
        total = None if answer is None or answer[2] == "*" else int(answer[2])
    else:  # a server that does not support ranges sends everything again
        have = 0
        length = response.headers.get("Content-Length")
        total = None if length is None else int(length)
    with progress_bar(part.stem, total, have) as bar, open(part, "ab" if goes_on else "wb") as file:
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))
    return total is None or _size(part) == total
