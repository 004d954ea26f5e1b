"""Folders of a training: another process is kept away until it has ended, this one is not."""

from __future__ import annotations

import pytest
from ignite.engine import Engine

from sectome.checks import InputError
from sectome.file_lock import locked
from sectome.training.held_folders import LOCK, hold_folders


def test_both_folders_are_held_until_a_training_has_ended(tmp_path):
    folders = {"output_dir": tmp_path / "run", "ckpt_dir": tmp_path / "models"}
    seen = []

    def step(engine, batch):
        for folder in folders.values():
            with pytest.raises(InputError, match=r"^held$"), locked(folder / LOCK, "held"):
                pass
            seen.append(folder)

    engine = Engine(step)
    hold_folders(engine, **folders)
    engine.run([0])
    assert seen == list(folders.values())
    for folder in folders.values():
        assert not list(folder.iterdir())


def test_a_folder_that_another_process_trains_into_is_refused_by_the_name_of_its_option(tmp_path):
    (tmp_path / "models").mkdir()
    expected = r"^--ckpt_dir must be a folder that no other training uses, got .*models, where .*, or name another$"
    with locked(tmp_path / "models" / LOCK, "held"), pytest.raises(InputError, match=expected):
        hold_folders(Engine(lambda *_: None), output_dir=tmp_path / "run", ckpt_dir=tmp_path / "models")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_training_that_failed_may_be_run_again_in_its_process(tmp_path):
    def fail(engine, batch):
        raise RuntimeError("no")

    for step in (fail, lambda *_: None):
        engine = Engine(step)
        hold_folders(engine, output_dir=tmp_path, ckpt_dir=tmp_path)
        if step is fail:
            with pytest.raises(RuntimeError, match="no"):
                engine.run([0])
        else:
            engine.run([0])
    with locked(tmp_path / LOCK, "held"):
        pass
