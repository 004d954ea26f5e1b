"""Labels that are not complete belong to one run, whatever other runs are given the same output."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from blockwise.test_whole_equals_blockwise import whole
from sectome.blockwise.config import read_config
from sectome.blockwise.label_array import create_labels
from sectome.blockwise.label_owner import owned_labels
from sectome.volumes import open_volume


@pytest.fixture
def run_to_levels(run, monkeypatch):
    """Run a config until all labels of the finest level are there, and no coarser ones."""

    def stop(config):
        def fail(*_):
            raise OSError("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr("sectome.blockwise.stages.coarsen_block", fail)
            code, _, error = run("segment-volume", "--config", config)
        assert code == 1
        assert "blocks of the stage level_1 failed" in error

    return stop


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Ids of the one are not those of the other.
@pytest.mark.parametrize("changes", [{}, {"segmentation": {"threshold": 0.6}}], ids=str)
def test_another_run_with_the_same_output_is_refused_and_the_first_goes_on(
    run, config, run_to_levels, affinities, tmp_path, changes
):
    run_to_levels(config())
    partial = tmp_path / ".out.ome.zarr.partial"
    before = contents(partial)
    code, _, error = run("segment-volume", "--config", config(run=str(tmp_path / "b.run"), **changes))
    assert code == 2
    assert f"got those of the run that began in {tmp_path}/out.ome.zarr.run" in error.replace("\n", " ")
    assert f"name another output, or remove {partial} to give that run up" in error.replace("\n", " ")
    assert contents(partial) == before
    assert run("segment-volume", "--config", config())[0] == 0
    np.testing.assert_array_equal(open_volume(tmp_path / "out.ome.zarr")[...], whole(affinities))


def test_a_run_does_not_take_the_labels_of_another_for_its_own(run, config, run_to_levels, tmp_path):
    run_to_levels(config())
    shutil.rmtree(tmp_path / ".out.ome.zarr.partial")
    run_to_levels(config(run=str(tmp_path / "b.run"), segmentation={"threshold": 0.6}))
    code, _, error = run("segment-volume", "--config", config())
    assert code == 2
    assert f"got those of the run that began in {tmp_path}/b.run" in error.replace("\n", " ")
    assert not (tmp_path / "out.ome.zarr").exists()


def test_a_finished_run_does_not_take_the_labels_of_another_for_its_own(run, config, tmp_path):
    assert run("segment-volume", "--config", config())[0] == 0
    shutil.rmtree(tmp_path / "out.ome.zarr")
    other = config(run=str(tmp_path / "b.run"), segmentation={"threshold": 0.6})
    assert run("segment-volume", "--config", other)[0] == 0
    assert run("segment-volume", "--config", other)[0] == 0
    code, _, error = run("segment-volume", "--config", config())
    assert code == 2
    assert f"the output must not exist yet, got {tmp_path}/out.ome.zarr" in error.replace("\n", " ")


def test_a_run_goes_on_with_its_labels_where_all_of_it_was_moved_to(run, config, run_to_levels, affinities, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(affinities.path, here / "affinities.zarr")

    def settings(folder):
        return config(affinities=str(folder / "affinities.zarr"), output=str(folder / "out.ome.zarr"))

    run_to_levels(settings(here))
    before = (here / "out.ome.zarr.run" / "log.csv").read_text()
    here.rename(there)
    assert run("segment-volume", "--config", settings(there))[0] == 0
    after = (there / "out.ome.zarr.run" / "log.csv").read_text()
    assert "relabel" not in after[len(before) :]
    np.testing.assert_array_equal(open_volume(there / "out.ome.zarr")[...], whole(affinities))


def test_labels_left_over_from_a_run_whose_folder_was_removed_stay_until_they_are_removed(
    run, config, affinities, tmp_path
):
    plan = read_config(config()).plan()
    create_labels(plan.partial_output / "0", plan.grid, np.uint64, plan.placement)
    before = contents(plan.partial_output / "0")
    code, _, error = run("segment-volume", "--config", config())
    assert code == 2
    assert f"or remove {plan.partial_output} to give that run up" in error.replace("\n", " ")
    assert contents(plan.partial_output / "0") == before
    shutil.rmtree(plan.partial_output)
    assert run("segment-volume", "--config", config())[0] == 0
    np.testing.assert_array_equal(open_volume(tmp_path / "out.ome.zarr")[...], whole(affinities))


def test_an_output_that_another_run_works_on_is_refused_before_it_has_labels(run, config, tmp_path):
    plan = read_config(config()).plan()
    for folder in (plan.partial_output, plan.folder.path):
        folder.mkdir()
    with owned_labels(plan):
        code, _, error = run("segment-volume", "--config", config(run=str(tmp_path / "b.run")))
    assert code == 2
    assert "got labels that another run is writing" in error.replace("\n", " ")
    # It had none, so that it is in nobody's way.
    assert run("segment-volume", "--config", config(run=str(tmp_path / "b.run")))[0] == 0
