"""`sectome segment-volume` as a user types it: results, going on, and what it refuses."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

from blockwise.conftest import do_all
from blockwise.test_whole_equals_blockwise import whole
from sectome.affinity_file import StoredAffinities, write_affinities
from sectome.blockwise import connected
from sectome.blockwise.config import read_config
from sectome.checks import InputError
from sectome.neighbourhoods import NEAREST
from sectome.run_folder import RunFolder
from sectome.volumes import open_volume


def test_labels_are_written_as_a_pyramid_that_says_where_it_lies(run, config, affinities, tmp_path):
    code, said, _ = run("segment-volume", "--config", config())
    assert code == 0
    assert "18 blocks" in said
    assert "dashboard: http" in said
    expected = whole(affinities)
    assert f"{int(expected.max())} objects" in said
    labels = open_volume(tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(labels[...], expected)
    assert labels.voxel_size_nm == (16.0, 8.0, 8.0)
    assert [level.shape for level in labels.levels] == [(48, 130, 140), (48, 65, 70), (24, 33, 35)]
    models = pytest.importorskip("ome_zarr_models", reason="needs Python 3.11")
    zarr = pytest.importorskip("zarr", reason="needs Python 3.11")
    image = models.open_ome_zarr(zarr.open_group(tmp_path / "out.ome.zarr", mode="r"))
    assert image.ome_attributes.multiscales[0].type == "majority"
    said = models.v05.ImageLabel.from_zarr(zarr.open_group(tmp_path / "out.ome.zarr", mode="r"))
    assert said.ome_attributes.image_label is not None
    assert not list(tmp_path.glob(".*partial"))
    assert not list((tmp_path / "out.ome.zarr").glob(".*"))
    # What is there is not done again.
    assert run("segment-volume", "--config", config())[0] == 0


def test_a_run_goes_on_from_where_it_stopped_and_refuses_another_plan(run, config, affinities, tmp_path):
    plan = read_config(config()).plan()
    plan.partial_output.mkdir(parents=True)
    plan.folder.keep_plan(plan.description())
    do_all(plan, stop_after="fragments")
    before = (plan.folder.path / "log.csv").read_text()
    changed = config(segmentation={"threshold": 0.5}, context_voxels=[12, 24, 20])
    code, _, error = run("segment-volume", "--config", changed)
    assert code == 2
    assert "was begun with segmentation threshold 0.3, got 0.5; context_voxels [12, 24, 24], got [12, 24, 20]" in error
    assert "continue with the same, or name another --output and another --run" in error.replace("\n", " ")
    assert run("segment-volume", "--config", config())[0] == 0
    after = (plan.folder.path / "log.csv").read_text()
    assert after.startswith(before)
    assert "fragments" not in after[len(before) :]
    np.testing.assert_array_equal(open_volume(tmp_path / "out.ome.zarr")[...], whole(affinities))


def test_a_run_goes_on_where_all_of_it_was_moved_to(run, config, affinities, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(affinities.path, here / "affinities.zarr")

    def settings(folder):
        return config(affinities=str(folder / "affinities.zarr"), output=str(folder / "out.ome.zarr"))

    plan = read_config(settings(here)).plan()
    plan.partial_output.mkdir(parents=True)
    plan.folder.keep_plan(plan.description())
    do_all(plan, stop_after="fragments")
    before = (plan.folder.path / "log.csv").read_text()
    here.rename(there)
    assert run("segment-volume", "--config", settings(there))[0] == 0
    after = (there / plan.folder.path.name / "log.csv").read_text()
    assert after.startswith(before)
    assert "fragments" not in after[len(before) :]
    np.testing.assert_array_equal(open_volume(there / "out.ome.zarr")[...], whole(affinities))


def test_labels_that_were_removed_are_not_written_anew_as_nothing(run, config, tmp_path):
    assert run("segment-volume", "--config", config())[0] == 0
    shutil.rmtree(tmp_path / "out.ome.zarr")
    code, _, error = run("segment-volume", "--config", config())
    assert code == 2
    assert "expected the labels that the run in" in error
    assert "remove the run's folder to segment anew" in error
    assert not (tmp_path / "out.ome.zarr").exists()


def test_other_voxels_by_the_same_name_are_another_input(run, config, affinities, tmp_path):
    path = tmp_path / "mine.zarr"
    rng = np.random.default_rng(0)
    write_affinities(path, rng.random((3, 32, 64, 64)), NEAREST, (8, 8, 8))
    plan = read_config(config(affinities=str(path))).plan()
    plan.folder.keep_plan(plan.description())
    write_affinities(path, rng.random((3, 32, 64, 64)), NEAREST, (8, 8, 8))
    code, _, error = run("segment-volume", "--config", config(affinities=str(path)))
    assert code == 2
    assert "was begun with input sample" in error


def test_a_forecast_writes_nothing(run, config, tmp_path):
    code, said, _ = run("segment-volume", "--config", config(), "--forecast")
    assert code == 0
    assert "MiB per worker" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json"]


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"scheduler": "local"}, "7 workers"),
        ({"scheduler": "threads"}, "7 workers"),
        ({"scheduler": "slurm"}, "1 worker"),
        ({"scheduler": "pbs"}, "1 worker"),
        ({"scheduler": "lsf"}, "1 worker"),
        ({"scheduler": "slurm", "workers": 12}, "12 workers"),
        # A running cluster is not asked.
        ({"scheduler": "tcp://127.0.0.1:1"}, "1 worker"),
    ],
    ids=str,
)
def test_a_forecast_is_for_as_many_workers_as_are_started(run, config, monkeypatch, changes, count):
    monkeypatch.setattr("sectome.blockwise.schedulers.cores", lambda: 7)
    code, said, _ = run("segment-volume", "--config", config(**{"workers": None, **changes}), "--forecast")
    assert code == 0
    assert f" with {count} as fast as a 2023 core" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresold": 1}, "unknown setting 'thresold' in"),
        ({"affinites": "a.zarr"}, "did you mean 'affinities'?"),
        ({"volume": "raw.zarr"}, "one of volume, affinities and maps must be given, got volume and affinities"),
        ({"affinities": None}, "one of volume, affinities and maps must be given, got none"),
        ({"output": "out.tif"}, "the output must end in .ome.zarr"),
        ({"block_voxels": [32, 60, 64]}, "whole chunks of (32, 64, 64) voxels, got 60 along y"),
        ({"block_voxels": [32, 64]}, "block_voxels must be three whole numbers"),
        ({"context_voxels": [12, 24, 65]}, "must not be smaller than the context, got 64 and a context of 65 along x"),
        ({"segmentation": {"boundary_threshold": "20%"}}, "boundary_threshold must be a number"),
        ({"segmentation": {"method": "mutex"}}, "method must be mean"),
        ({"segmentation": {"treshold": 0.5}}, "did you mean 'threshold'"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "expected a Dask scheduler at tcp://127.0.0.1:1, got no answer"),
        ({"overlap": 0.5}, "overlap must be given with a volume only, got it with affinities"),
        ({"bundle": "bundles/em_segmentation"}, "bundle must be given with a volume only, got it with affinities"),
        ({"voxel_size_nm": [8, 8, 8]}, "voxel_size_nm must be given with a volume only, got it with affinities"),
        ({"gpu_resource": False}, "gpu_resource must be given with a volume only, got it with affinities"),
        ({"checkpoint": "none.pt"}, "expected a trained model at none.pt, got none"),
        ({"output": None}, "must name the output, got affinities"),
    ],
)
def test_what_can_not_be_used_is_one_sentence(run, config, tmp_path, changes, message, monkeypatch):
    monkeypatch.setattr("sectome.blockwise.schedulers.CONNECT_SECONDS", 1)
    code, _, error = run("segment-volume", "--config", config(**changes))
    assert code == 2
    assert message in error.replace("\n", " ")
    assert error.count("error:") == 1
    assert not (tmp_path / "out.ome.zarr").exists()


def test_a_use_of_long_range_offsets_that_are_not_there_is_refused(run, config, tmp_path):
    write_affinities(tmp_path / "near.zarr", np.ones((3, 32, 64, 64), np.float32), NEAREST, (8, 8, 8))
    changes = {"affinities": str(tmp_path / "near.zarr"), "segmentation": {"long_range": "all"}}
    code, _, error = run("segment-volume", "--config", config(**changes))
    assert code == 2
    assert error == "error: long_range must be no with nearest-neighbour offsets alone, got all\n"
    assert not (tmp_path / "out.ome.zarr").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(
            ({name: 5}, f"{name} must be text, got 5")
            for name in ("output", "affinities", "run", "bundle", "checkpoint", "mask", "device", "scheduler")
        ),
        ({"segmentation": []}, "segmentation must be settings by name, got []"),
        ({"job": "long"}, "job must be settings by name, got 'long'"),
        ({"gpu_resource": "yes"}, "gpu_resource must be true or false, got 'yes'"),
        ({"compile": "yes"}, "compile must be true or false, got 'yes'"),
        ({"voxel_size_nm": 8}, "voxel_size_nm must be three numbers, z first, got 8"),
        ({"overlap": 1.5}, "overlap must be a number of at least 0 and less than 1, got 1.5"),
        ({"overlap": "a"}, "overlap must be a number of at least 0 and less than 1, got 'a'"),
        ({"blending": "x"}, "blending must be one of 'gaussian', 'linear', 'constant', got 'x'"),
        ({"precision": "fp8"}, "precision must be one of 'auto', 'bf16', 'fp32', got 'fp8'"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"batch_size": "4"}, "batch_size must be a whole number of at least 1, got '4'"),
        ({"workers": 0}, "workers must be a whole number of at least 1, got 0"),
        ({"workers": 1.5}, "workers must be a whole number of at least 1, got 1.5"),
        ({"workers": "2"}, "workers must be a whole number of at least 1, got '2'"),
        ({"scheduler": "sge"}, "scheduler must be local, threads, slurm"),
        (
            {"job": {"queue": "long"}},
            "job must be given with a batch system (slurm, pbs, lsf) only, got it with the scheduler threads",
        ),
    ],
)
def test_values_that_no_run_can_have_are_refused_before_it_has_a_folder(run, config, tmp_path, changes, message):
    for forecast in ((), ("--forecast",)):
        code, _, error = run("segment-volume", "--config", config(**changes), *forecast)
        assert code == 2
        assert message in error.replace("\n", " ")
        assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_an_output_of_somebody_else_is_refused(run, config, tmp_path):
    (tmp_path / "out.ome.zarr").mkdir()
    code, _, error = run("segment-volume", "--config", config())
    assert code == 2
    assert "the output must not exist yet" in error
    assert list((tmp_path / "out.ome.zarr").iterdir()) == []


@pytest.mark.parametrize("where", ["output", "run"])
def test_a_folder_that_can_not_be_written_is_refused(run, config, tmp_path, where):
    (tmp_path / "file").touch()
    code, _, error = run("segment-volume", "--config", config(**{where: str(tmp_path / "file/out.ome.zarr")}))
    assert code == 2
    assert "expected a writable folder" in error


def test_a_run_that_was_killed_while_it_wrote_its_plan_goes_on(config, tmp_path):
    plan = read_config(config()).plan()
    plan.folder.path.mkdir()
    for name in (".writable", ".plan.json.7.partial"):
        (plan.folder.path / name).touch()
    plan.folder.keep_plan(plan.description())
    other = RunFolder(tmp_path / "other")
    other.path.mkdir()
    (other.path / "notes.txt").touch()
    with pytest.raises(InputError, match="expected a new or empty folder for the run"):
        other.keep_plan(plan.description())


def test_a_folder_in_use_is_refused(config):
    plan = read_config(config()).plan()
    plan.folder.keep_plan(plan.description())
    with plan.folder.in_use(), pytest.raises(InputError, match="got one in use"), plan.folder.in_use():
        pass


@pytest.fixture
def failing_first_block(monkeypatch):
    """Let what reads the affinities of the first block with its context fail, as often as is said."""
    read = StoredAffinities.read

    def fail(error, times):
        left = [error] * times

        def reading(self, box, channels=None):
            if [(part.start, part.stop) for part in box] == [(0, 44), (0, 88), (0, 88)] and left:
                raise left.pop()
            return read(self, box, channels)

        monkeypatch.setattr(StoredAffinities, "read", reading)
        return left

    return fail


@pytest.mark.parametrize(
    ("error", "code_of_it", "line"),
    [
        (OSError("the disk is away"), 1, "block 0: OSError: the disk is away"),
        (InputError("expected a readable file, got a.zarr"), 2, "block 0: expected a readable file, got a.zarr"),
    ],
    ids=["error", "input"],
)
def test_blocks_that_fail_are_listed_and_the_others_are_done(
    run, config, affinities, tmp_path, failing_first_block, error, code_of_it, line
):
    failing_first_block(error, times=3)
    code, _, said = run("segment-volume", "--config", config())
    assert code == code_of_it
    assert "1 of 18 blocks of the stage fragments failed 3 times each" in said
    assert line in said
    assert read_config(config()).plan().folder.done("fragments") == set(range(1, 18))
    assert not (tmp_path / "out.ome.zarr").exists()
    assert run("segment-volume", "--config", config())[0] == 0
    np.testing.assert_array_equal(open_volume(tmp_path / "out.ome.zarr")[...], whole(affinities))


def test_an_input_that_can_not_be_read_for_once_stops_nothing(run, config, affinities, tmp_path, failing_first_block):
    left = failing_first_block(InputError("expected a readable file, got a.zarr"), times=2)
    assert run("segment-volume", "--config", config())[0] == 0
    assert left == []
    np.testing.assert_array_equal(open_volume(tmp_path / "out.ome.zarr")[...], whole(affinities))


def test_a_worker_of_another_version_is_refused(run, config, monkeypatch):
    monkeypatch.setattr("sectome.blockwise.plan.VERSION", "0.0.9")
    code, _, error = run("segment-volume", "--config", config())
    assert code == 2
    assert "expected a worker with sectome 0.0.9, got one with" in error
    assert "failed 3 times" not in error


def test_a_scheduler_file_that_names_no_scheduler_is_one_sentence(tmp_path):
    (tmp_path / "scheduler.json").write_text("{}")
    with (
        pytest.raises(InputError, match="expected a scheduler file with the address of a Dask scheduler at"),
        connected(str(tmp_path / "scheduler.json")),
    ):
        pass


def test_without_dask_it_says_what_to_install(run, config, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, error = run("segment-volume", "--config", config())
    assert code == 2
    assert "pip install 'sectome[cluster]'" in error
