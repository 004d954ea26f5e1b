"""A real MONAI Label server on loopback, in the environment that `make .venv-monailabel/installed` makes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("SECTOME_MONAILABEL", ROOT / ".venv-monailabel")) / "bin" / "python"


class LabelServer:
    """The monaibundle app with some bundles, and the calls that 3D Slicer's module makes.

    Args:
        folder: for the app and its log.
        studies: the images.
        models: names of the folders of bundles in `folder/app/monaibundle/model`.
    """

    def __init__(self, folder: Path, studies: Path, models: Sequence[str]) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{one.getsockname()[1]}"
        self.log = folder / "server.log"
        words = ["start_server", "--app", str(folder / "app" / "monaibundle"), "--studies", str(studies)]
        words += ["--host", "127.0.0.1", "--port", self.address.rsplit(":", 1)[1]]
        for name, value in (("models", ",".join(models)), ("zoo_source", "local"), ("sam2", "false")):
            words += ["--conf", name, value]
        # Threads of torch and numba on two cores wait for one another.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(PYTHON), "-m", "monailabel.main", *words],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> LabelServer:
        deadline = time.monotonic() + 180
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.get("/info/")
                return self
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.3)
        self.stop()
        raise AssertionError(f"the server did not start:\n{self.log.read_text()[-3000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and what it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def get(self, path: str) -> Any:
        """Return the JSON of a GET."""
        return json.loads(self._call(urllib.request.Request(self.address + path)))

    def next_sample(self, strategy: str) -> str:
        """Return the id of the image that a strategy proposes to label next."""
        request = urllib.request.Request(
            f"{self.address}/activelearning/{strategy}", b"{}", {"Content-Type": "application/json"}
        )
        return str(json.loads(self._call(request))["id"])

    def infer(self, model: str, image: str, to: Path, **parameters: Any) -> Path:
        """Segment an image of the studies and save what comes back."""
        query = urllib.parse.urlencode({"image": image, "output": "image"})
        body, kind = _form({"params": json.dumps(parameters)})
        request = urllib.request.Request(f"{self.address}/infer/{model}?{query}", body, {"Content-Type": kind})
        to.write_bytes(self._call(request))
        return to

    def latencies(self) -> dict[str, float]:
        """Return the seconds that the parts of the last inference took, by the server's own log."""
        line = [line for line in self.log.read_text().splitlines() if "Latencies =>" in line][-1]
        return {name: float(value) for name, value in re.findall(r"(\w+): ([\d.]+);?", line.split("=>")[1])}

    def save_label(self, image: str, label: Path) -> None:
        """Hand in a corrected label."""
        query = urllib.parse.urlencode({"image": image, "tag": "final"})
        body, kind = _form({"params": "{}"}, {"label": label})
        url = f"{self.address}/datastore/label?{query}"
        self._call(urllib.request.Request(url, body, {"Content-Type": kind}, method="PUT"))

    def train(self, model: str, **parameters: Any) -> None:
        """Train on all labels that were handed in, and return when that is done."""
        url = f"{self.address}/train/{model}?run_sync=true"
        body = json.dumps({"multi_gpu": False, "device": "cpu", **parameters}).encode()
        self._call(urllib.request.Request(url, body, {"Content-Type": "application/json"}))

    def _call(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            lines = self.log.read_text(errors="replace").splitlines()
            raise AssertionError(f"{request.full_url}: {error}\n" + "\n".join(lines[-40:])) from None


def _form(fields: dict[str, str], files: dict[str, Path] | None = None) -> tuple[bytes, str]:
    """Return a multipart form and its content type."""
    border = uuid.uuid4().hex
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, path in (files or {}).items():
        head = f'--{border}\r\nContent-Disposition: form-data; name="{name}"; filename="{path.name}"\r\n\r\n'
        parts.append(head.encode() + path.read_bytes() + b"\r\n")
    return b"".join([*parts, f"--{border}--\r\n".encode()]), f"multipart/form-data; boundary={border}"
