"""`sectome fetch`: what it prints, and one sentence with exit code 2 for what goes wrong."""

from __future__ import annotations

import pytest

from sectome.cli import fetch
from sectome.datasets import ALL_SETS

from .small_sets import make_small


@pytest.fixture
def small(server, monkeypatch):
    public = make_small("lucchi", server.folder, server.address)
    monkeypatch.setitem(ALL_SETS, "lucchi", public)
    return public


def test_terms_come_first_and_the_overlay_last(run, small, tmp_path):
    code, out, _ = run("fetch", "lucchi", "--to", tmp_path / "data")
    lines = out.splitlines()
    assert code == 0
    assert lines[1:3] == [f"terms: {small.terms}", f"cite: {small.citation}"]
    assert lines[3:-1] == ["checking lucchi_pp.zip", *(f"note: {trap}" for trap in small.traps)]
    assert lines[-1] == f"use: configs/datasets/lucchi.json with --dataset_dir {tmp_path}/data/lucchi"
    code, out, _ = run("fetch", "lucchi", "--to", tmp_path / "data")
    assert code == 0
    assert "nothing to do" in out


def test_archives_of_the_user_are_taken(run, small, server, tmp_path):
    code, _, _ = run("fetch", "lucchi", "--to", tmp_path / "data", "--archives", server.folder)
    assert code == 0
    assert server.requests == []
    assert (tmp_path / "data/lucchi/dataset.json").is_file()


def test_the_help_names_every_set():
    assert all(name in fetch.__doc__ for name in ALL_SETS)


@pytest.mark.parametrize("what", ["404", "checksum", "name", "archives"])
def test_a_mistake_is_one_sentence_and_exit_code_2(run, small, server, tmp_path, what):
    arguments = ["lucchi"]
    if what == "404":
        server.status = 404
    elif what == "checksum":
        (server.folder / "lucchi_pp.zip").write_bytes(b"another file")
    elif what == "name":
        arguments = ["luchi"]
    else:
        arguments += ["--archives", tmp_path]
    code, _, err = run("fetch", *arguments, "--to", tmp_path / "data")
    assert code == 2
    assert err.startswith("error: expected ") or "name must be one of 'cremi', 'fib25'" in err
    assert err.count("\n") == 1
    assert not list((tmp_path / "data").glob("*"))
