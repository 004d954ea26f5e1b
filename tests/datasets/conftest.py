from __future__ import annotations

from collections.abc import Iterator

import pytest

from sectome.datasets import resuming_download

from .loopback import Loopback, serve


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming_download, "WAIT_SECONDS", 0.0)


@pytest.fixture
def server(tmp_path) -> Iterator[Loopback]:
    folder = tmp_path / "served"
    folder.mkdir()
    with serve(folder) as loopback:
        yield loopback
