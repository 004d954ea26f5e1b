"""Servers on the loopback interface: a folder over http, S3, and as much of Google's API as tensorstore calls."""

from __future__ import annotations

import json
import logging
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class FolderHandler(SimpleHTTPRequestHandler):
    """Serves a folder as Python does, which knows no byte ranges, and keeps the paths that were asked for."""

    def log_message(self, *arguments: object) -> None:
        pass

    def send_head(self) -> Any:
        self.server.requests.append(self.path)
        return super().send_head()

    def end_headers(self) -> None:
        # As buckets do with what was stored compressed, whether or not it was asked for.
        if Path(self.translate_path(self.path)).with_suffix(".is_gzip").exists():
            self.send_header("Content-Encoding", "gzip")
        super().end_headers()


class RangeHandler(FolderHandler):
    """Serves a folder as buckets and other servers do, in parts where parts are asked for."""

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        wanted = self.headers.get("Range")
        if wanted is None or not file.is_file():
            super().do_GET()
            return
        self.server.requests.append(self.path)
        content = file.read_bytes()
        first, last = wanted.removeprefix("bytes=").split("-")
        start = int(first) if first else len(content) - int(last)
        stop = int(last) + 1 if first and last else len(content)
        self.send_response(206)
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        self.end_headers()
        self.server.sent += stop - start  # before the client can know that it has all
        self.wfile.write(content[start:stop])


class GoogleHandler(BaseHTTPRequestHandler):
    """Reads, writes and lists objects of the bucket `lab`, which are kept in memory."""

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        bucket, _, key = urlsplit(self.path).path.removeprefix("/storage/v1/b/").partition("/o")
        content = self.server.objects.get(unquote(key.removeprefix("/")))
        if key and bucket == "lab" and content is not None:
            self._answer(200, content, {"x-goog-generation": "1"})
        elif bucket == "lab" and not key.removeprefix("/"):
            self._answer(200, b'{"items": []}')
        else:
            self._answer(404, b'{"error": {"message": "none"}}')

    def do_POST(self) -> None:
        name = parse_qs(urlsplit(self.path).query)["name"][0]
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.objects[name] = content
        self._answer(200, json.dumps({"name": name, "generation": "1", "size": str(len(content))}).encode())

    def _answer(self, code: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """A server with the paths that were asked for, the bytes of parts that were sent, and the objects that it holds."""

    def __init__(self, handler: Any) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.requests: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(handler: Any) -> Iterator[Server]:
    with Server(handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def serving_folder(folder: Path, handler: Any = FolderHandler) -> Any:
    return serving(partial(handler, directory=str(folder)))


def free_port() -> int:
    """Return a port at which nobody listens."""
    with Server(GoogleHandler) as server:
        return server.server_port


@contextmanager
def serving_s3() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def put(url: str, content: bytes = b"", **headers: str) -> None:
    """Send a file, or make a bucket."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    names["Content-Type"] = "application/octet-stream"  # else moto takes it for a form
    request = urllib.request.Request(url, content, names, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def upload(folder: Path, url: str, **headers: str) -> None:
    """Send all files of a folder."""
    for file in folder.rglob("*"):
        if file.is_file():
            put(f"{url}/{file.relative_to(folder).as_posix()}", file.read_bytes(), **headers)
