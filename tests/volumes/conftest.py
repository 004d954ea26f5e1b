from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from .servers import GoogleHandler, Server, put, serving, serving_folder, serving_s3

VOXEL_SIZE = (30.0, 6.0, 8.0)
OFFSET = (300.0, -36.0, 48.0)


@pytest.fixture
def make_array() -> Callable[..., Any]:
    """Values that differ along every axis, on extents that differ, so that a swapped axis shows."""

    def make(dtype: Any = np.uint8, shape: tuple[int, ...] = (5, 7, 11)) -> Any:
        values = np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape)
        return (values % 251 if np.dtype(dtype).itemsize == 1 else values).astype(dtype)

    return make


@pytest.fixture
def truncate() -> Callable[[Path, float], None]:
    def cut(path: Path, kept: float) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * kept)])

    return cut


@pytest.fixture
def web_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve the test's folder on the loopback interface."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving_folder(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def _s3_url() -> Iterator[str]:
    with serving_s3() as url:
        yield url


_NUMBERS = count()


class Bucket(NamedTuple):
    """A private S3 bucket: where the test puts files, and how the package calls it."""

    url: str
    address: str


@pytest.fixture
def bucket(_s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Make a new bucket; the environment says where S3 is and who asks."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", _s3_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_NO_SIGN_REQUEST"):
        monkeypatch.delenv(name, raising=False)
    name = f"lab-{next(_NUMBERS)}"
    put(f"{_s3_url}/{name}")
    return Bucket(f"{_s3_url}/{name}", f"s3://{name}")


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve the bucket gs://lab."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", "a")
    with serving(GoogleHandler) as server:
        monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", server.url)
        yield server
