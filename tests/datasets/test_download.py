"""Downloads that break off, servers that know no ranges, and files that are not the published ones."""

from __future__ import annotations

import builtins
import errno

import pytest

from sectome.checks import InputError
from sectome.datasets import fetch, progress_bar, resuming_download
from sectome.datasets.resuming_download import ATTEMPTS

from .small_sets import make_small


@pytest.fixture
def small(server):
    return make_small("snemi3d", server.folder, server.address)


def test_a_download_that_breaks_off_goes_on_in_the_same_call(server, small, tmp_path):
    server.cuts = [3000, 2000]
    fetch(small, tmp_path)
    assert server.ranges("snemi.zip") == [None, "bytes=3000-", "bytes=5000-"]


def test_a_download_that_breaks_off_goes_on_in_a_later_call(server, small, tmp_path):
    server.cuts = [3000] + [0] * ATTEMPTS
    with pytest.raises(InputError, match=r"could not download http.*: the connection was closed; 3000 bytes are kept"):
        fetch(small, tmp_path)
    assert (tmp_path / "snemi3d.download/snemi.zip.part").stat().st_size == 3000
    assert not (tmp_path / "snemi3d").exists()
    server.requests.clear()
    fetch(small, tmp_path)
    assert server.ranges("snemi.zip") == ["bytes=3000-"]


@pytest.mark.parametrize("reset", [ConnectionResetError(errno.ECONNRESET, "reset"), TimeoutError("timed out")])
def test_a_connection_that_is_reset_is_tried_again(small, tmp_path, monkeypatch, reset):
    ask = resuming_download.urlopen
    answers = [reset]

    def flaky(*args, **kwargs):
        if answers:
            raise answers.pop()
        return ask(*args, **kwargs)

    monkeypatch.setattr(resuming_download, "urlopen", flaky)
    fetch(small, tmp_path)
    assert not answers


def test_a_server_that_knows_no_ranges_sends_everything_again(server, small, tmp_path):
    server.knows_ranges = False
    server.cuts = [3000]
    fetch(small, tmp_path)
    assert server.ranges("snemi.zip") == [None, "bytes=3000-"]


def test_a_call_that_is_stopped_while_it_checks_keeps_the_download(server, small, tmp_path, monkeypatch):
    size = (server.folder / "snemi.zip").stat().st_size

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pooch.file_hash", stopped)
        with pytest.raises(KeyboardInterrupt):
            fetch(small, tmp_path)
    server.requests.clear()
    fetch(small, tmp_path)
    assert server.ranges("snemi.zip") == [f"bytes={size}-"]


def test_a_part_that_is_complete_is_not_sent_again(server, small, tmp_path):
    (tmp_path / "snemi3d.download").mkdir()
    content = (server.folder / "snemi.zip").read_bytes()
    (tmp_path / "snemi3d.download/snemi.zip.part").write_bytes(content)
    fetch(small, tmp_path)
    assert server.ranges("snemi.zip") == [f"bytes={len(content)}-"]


def test_a_part_that_is_longer_than_the_file_starts_again(server, small, tmp_path):
    (tmp_path / "snemi3d.download").mkdir()
    content = (server.folder / "snemi.zip").read_bytes()
    (tmp_path / "snemi3d.download/snemi.zip.part").write_bytes(content + b"more")
    fetch(small, tmp_path)
    assert server.ranges("snemi.zip") == [f"bytes={len(content) + 4}-", None]


def test_an_archive_that_is_there_is_not_downloaded_again(server, tmp_path):
    public = make_small("cremi", server.folder, server.address)
    missing = server.folder / "sample_C_20160501.hdf"
    content = missing.read_bytes()
    missing.unlink()
    with pytest.raises(InputError, match="got HTTP 404"):
        fetch(public, tmp_path)
    missing.write_bytes(content)
    server.requests.clear()
    fetch(public, tmp_path)
    assert [name for name, _ in server.requests] == ["sample_C_20160501.hdf"]


def test_another_file_than_the_published_one_is_removed(server, small, tmp_path):
    right = (server.folder / "snemi.zip").read_bytes()
    (server.folder / "snemi.zip").write_bytes(right[:-1] + b"?")
    with pytest.raises(InputError, match=r"expected the published snemi.zip, got another file from http"):
        fetch(small, tmp_path)
    assert list(tmp_path.glob("snemi*")) == []
    (server.folder / "snemi.zip").write_bytes(right)
    fetch(small, tmp_path)


def test_a_part_of_another_file_is_removed_by_the_checksum(small, tmp_path):
    (tmp_path / "snemi3d.download").mkdir()
    (tmp_path / "snemi3d.download/snemi.zip.part").write_bytes(b"x" * 1000)
    with pytest.raises(InputError, match=r"expected the published snemi.zip"):
        fetch(small, tmp_path)
    fetch(small, tmp_path)


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (403, 1), (503, ATTEMPTS)])
def test_a_refusal_names_address_and_status(server, small, tmp_path, status, asked):
    server.status = status
    with pytest.raises(InputError, match=rf"http://127.0.0.1:\d+/snemi.zip.* HTTP {status} "):
        fetch(small, tmp_path)
    assert len(server.requests) == asked
    assert list(tmp_path.glob("snemi*")) == []


def test_a_server_that_is_not_there_is_named(tmp_path):
    public = make_small("snemi3d", tmp_path / "mine", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"could not download http://127.0.0.1:9/snemi.zip: .*refused"):
        fetch(public, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


class _FullAfter:
    """A file that takes some bytes and then finds the disk full."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, chunk):
        self._file.write(chunk[: self._room])
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_while_downloading_keeps_what_came(server, small, tmp_path, monkeypatch):
    def open_full(path, mode="r", **options):
        return _FullAfter(builtins.open(path, mode, **options), 2500)

    with monkeypatch.context() as patch:
        patch.setattr(resuming_download, "open", open_full, raising=False)
        with pytest.raises(InputError, match=r"expected free space on the disk of .*, got none"):
            fetch(small, tmp_path)
    assert (tmp_path / "snemi3d.download/snemi.zip.part").stat().st_size == 2500
    server.requests.clear()
    fetch(small, tmp_path)
    assert server.ranges("snemi.zip") == ["bytes=2500-"]


def test_progress_shows_rate_and_estimate(small, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(progress_bar, "DELAY_SECONDS", 1e-9)
    fetch(small, tmp_path)
    shown = capfd.readouterr().err
    assert "snemi.zip: 100%" in shown
    assert "B/s]" in shown
