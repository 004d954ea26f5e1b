"""A server on this machine that misbehaves as servers do."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Loopback:
    """Serves a folder.

    Attributes:
        cuts: After how many bytes each of the next answers breaks off.
        knows_ranges: Whether it answers requests for a part with that part.
        status: Sent instead of any file if not 200.
        requests: File name and Range header of each request.
    """

    folder: Path
    address: str = ""
    cuts: list[int] = field(default_factory=list)
    knows_ranges: bool = True
    status: int = 200
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def ranges(self, name: str) -> list[str | None]:
        return [asked for requested, asked in self.requests if requested == name]


@contextmanager
def serve(folder: Path) -> Iterator[Loopback]:
    """Serve a folder on a free port until the block ends."""
    loopback = Loopback(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, asked = self.path.split("?")[0].strip("/"), self.headers.get("Range")
            loopback.requests.append((name, asked))
            path = loopback.folder / name
            if loopback.status != 200 or not path.is_file():
                self.send_error(404 if loopback.status == 200 else loopback.status)
                return
            content, start = path.read_bytes(), 0
            if asked is not None and loopback.knows_ranges:
                start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            body = content[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: loopback.cuts.pop(0)] if loopback.cuts else body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    loopback.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
