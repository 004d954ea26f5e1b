"""Downloading over HTTP so that a broken connection costs only what it had not sent yet."""

from __future__ import annotations

import re
import time
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from sectome.checks import InputError
from sectome.datasets.full_disk import is_full
from sectome.datasets.progress_bar import progress_bar

ATTEMPTS = 5
"""How often in a row an attempt may bring nothing."""

WAIT_SECONDS = 1.0
"""Before an attempt; twice as long after each one that brought nothing."""

_TIMEOUT_SECONDS = 60.0
_CHUNK_BYTES = 2**20
_RANGE_NOT_SATISFIABLE = 416


class ResumingDownloader:
    """Downloads into a `.part` file and goes on where it ends, in this call or a later one.

    Args:
        part: The file that keeps what has arrived so far.
    """

    def __init__(self, part: Path) -> None:
        self.part = part

    def bring(self, url: str) -> None:
        """Bring the whole file.

        Raises:
            InputError: If the server refuses, or several attempts in a row bring nothing.
            OSError: If the disk is full.
        """
        failures = 0
        while failures < ATTEMPTS:
            before = self._size()
            reason = "the connection was closed"
            try:
                if self._go_on(url):
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
            failures = 0 if self._size() > before else failures + 1
            if failures < ATTEMPTS:
                wait = WAIT_SECONDS * 2**failures
                print(f"{self.part.stem}: {reason}; trying again in {wait:g} s", flush=True)
                time.sleep(wait)
        raise InputError(
            f"could not download {url}: {reason}; {self._size()} bytes are kept and the same command goes on from "
            "there, or give --archives with a folder of what you downloaded by hand"
        )

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _go_on(self, url: str) -> bool:
        """Ask for the bytes that are missing; return whether the file is complete."""
        have = self._size()
        request = Request(url, headers={"User-Agent": "sectome", **({"Range": f"bytes={have}-"} if have else {})})
        try:
            response = urlopen(request, timeout=_TIMEOUT_SECONDS)
        except HTTPError as error:
            if error.code != _RANGE_NOT_SATISFIABLE or not have:
                raise
            error.close()
            # Either everything is here already, or what is here belongs to another file.
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return True
            self.part.unlink()
            return False
        with response:
            return self._receive(response, have)

    def _receive(self, response: HTTPResponse, have: int) -> bool:
        answer = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        goes_on = response.status == 206 and answer is not None and int(answer[1]) == have
        if response.status == 206 and not goes_on:
            self.part.unlink()
            return False
        if goes_on:
            total = None if answer is None or answer[2] == "*" else int(answer[2])
        else:  # a server that does not know ranges sends everything again
            have = 0
            length = response.headers.get("Content-Length")
            total = None if length is None else int(length)
        with progress_bar(self.part.stem, total, have) as bar, open(self.part, "ab" if goes_on else "wb") as file:
            while chunk := response.read(_CHUNK_BYTES):
                file.write(chunk)
                bar.update(len(chunk))
        return total is None or self._size() == total
