"""A file that one process holds: what another one is told, and what where there are no locks."""

from __future__ import annotations

import errno
import os

import pytest

from sectome.checks import InputError
from sectome.file_lock import locked
from sectome.run_folder import RunFolder


def test_a_file_is_held_by_one_at_a_time_and_keeps_what_it_holds(tmp_path):
    with locked(tmp_path / "lock", "in use") as file:
        file.write("mine")
        file.flush()
        with pytest.raises(InputError, match=r"^in use$"), locked(tmp_path / "lock", "in use"):
            pass
    with locked(tmp_path / "lock", "in use") as file:
        file.seek(0)
        assert file.read() == "mine"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_file_system_without_locks_is_not_said_to_be_in_use(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    expected = rf"^expected a file system with locks \(flock\) for .*, got: {os.strerror(number)}$"
    with pytest.raises(InputError, match=expected), RunFolder(tmp_path).in_use():
        pass


def test_a_lock_that_is_not_a_must_is_done_without_where_there_are_none(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", refuse)
    expected = r"with locks \(flock\) for .*; other processes are not kept away$"
    with pytest.warns(UserWarning, match=expected), locked(tmp_path / "lock", "in use", must_lock=False) as file:
        assert file.name == str(tmp_path / "lock")
