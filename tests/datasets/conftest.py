from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from sectome.cli import main
from sectome.datasets import resuming_downloader

from .loopback import Loopback, serve


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming_downloader, "WAIT_SECONDS", 0.0)


@pytest.fixture
def server(tmp_path) -> Iterator[Loopback]:
    folder = tmp_path / "served"
    folder.mkdir()
    with serve(folder) as loopback:
        yield loopback


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command; return exit code, output and errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["sectome", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
