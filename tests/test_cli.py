"""The command line: what each command prints and writes, and one sentence for a mistake."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sectome.affinities import labels_to_affinities
from sectome.affinity_file import write_affinities
from sectome.cli import COMMANDS
from sectome.neighbourhoods import NEAREST
from sectome.volumes import open_volume, write_volume


@pytest.fixture
def labels():
    volume = np.ones((6, 12, 14), np.uint16)
    volume[:, :, 7:] = 2
    volume[:, 8:] = 3
    return volume


def test_info_prints_json(run, labels, tmp_path):
    write_volume(tmp_path / "a.tif", labels, voxel_size_nm=(30, 6, 6))
    code, out, _ = run("info", tmp_path / "a.tif")
    described = json.loads(out)
    assert code == 0
    assert described["shape"] == [6, 12, 14]
    assert described["voxel_size_nm"] == [30, 6, 6]


def test_convert_keeps_voxels_and_takes_a_voxel_size(run, labels, tmp_path):
    np.save(tmp_path / "a.npy", labels)
    code, out, _ = run("convert", tmp_path / "a.npy", tmp_path / "b.zarr", "--voxel_size_nm", "40,4,4")
    assert code == 0
    assert "wrote" in out
    copy = open_volume(tmp_path / "b.zarr")
    assert np.array_equal(copy, labels)
    assert copy.voxel_size_nm == (40, 4, 4)


def test_info_shows_offset_and_levels_and_counts_what_is_not_finite(run, tmp_path):
    array = np.zeros((4, 70, 100), np.float32)
    array[1, 2, 3:5] = np.nan, np.inf
    write_volume(tmp_path / "a.ome.zarr", array, voxel_size_nm=(30, 6, 6), offset_nm=(300, -36, 48))
    code, out, _ = run("info", tmp_path / "a.ome.zarr")
    described = json.loads(out)
    assert code == 0
    assert described["offset_nm"] == [300, -36, 48]
    assert [level["voxel_size_nm"] for level in described["levels"]] == [[30, 6, 6], [30, 12, 12]]
    assert described["not_finite"] == 2


def test_convert_keeps_the_offset_and_takes_the_level_that_is_asked_for(run, tmp_path):
    labels = np.arange(4 * 70 * 100, dtype=np.uint16).reshape(4, 70, 100)
    write_volume(tmp_path / "a.ome.zarr", labels, voxel_size_nm=(30, 6, 6), offset_nm=(300, -36, 48))
    assert run("convert", tmp_path / "a.ome.zarr", tmp_path / "b.mrc")[0] == 0
    copy = open_volume(tmp_path / "b.mrc")
    assert (copy.voxel_size_nm, copy.offset_nm) == ((30, 6, 6), (300, -36, 48))
    assert np.array_equal(copy, labels)
    code, _, _ = run("convert", tmp_path / "a.ome.zarr", tmp_path / "c.h5", "--near_voxel_size_nm", "30,13,13")
    assert code == 0
    coarse = open_volume(tmp_path / "c.h5")
    # The centre of a coarser voxel lies half a finer one further in.
    assert (coarse.voxel_size_nm, coarse.offset_nm) == ((30, 12, 12), (300, -33, 51))
    assert np.array_equal(coarse, labels[:, ::2, ::2])


def test_a_conversion_of_a_damaged_volume_leaves_nothing_half_written(run, labels, tmp_path):
    write_volume(tmp_path / "a.h5", labels)
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[-40:] = bytes(40)
    (tmp_path / "a.h5").write_bytes(content)
    for output in ("b.zarr", "b.ome.zarr", "b.n5", "b.mrc", "b.tif"):
        code, _, err = run("convert", tmp_path / "a.h5", tmp_path / output, "--voxel_size_nm", "30,6,6")
        assert (code, err.count("\n")) == (2, 1)
        assert "expected a readable HDF5, got" in err
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]


def test_phantom_writes_raw_and_truth(run, tmp_path):
    code, _, _ = run("phantom", tmp_path, "--shape", "8,32,32", "--seed", 3)
    assert code == 0
    for kind in ("images", "labels", "mitochondria"):
        assert open_volume(tmp_path / kind / "phantom_3.tif").shape == (8, 32, 32)
    code, _, _ = run("phantom", tmp_path / "defective", "--shape", "8,32,32", "--seed", 3, "--defects", 1)
    assert code == 0
    clean, defective = (
        np.asarray(open_volume(folder / "images/phantom_3.tif")) for folder in (tmp_path, tmp_path / "defective")
    )
    assert np.abs(clean.astype(int) - defective).mean() > 3


def test_segment_and_evaluate_true_affinities(run, labels, tmp_path):
    affinities, _ = labels_to_affinities(labels, NEAREST)
    write_affinities(tmp_path / "a.zarr", affinities.astype(np.float32), NEAREST, (30, 6, 6))
    write_volume(tmp_path / "truth.tif", labels, voxel_size_nm=(30, 6, 6))
    code, out, _ = run("segment", tmp_path / "a.zarr", tmp_path / "labels.h5")
    assert code == 0
    assert "3 objects" in out
    code, out, _ = run("evaluate", tmp_path / "truth.tif", tmp_path / "labels.h5")
    scores = json.loads(out)
    assert scores["adapted_rand_error"] == pytest.approx(0, abs=1e-9)
    assert scores["average_precision_75"] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["info", "none.tif"], "none.tif"),
        (["convert", "none.tif", "b.zarr"], "none.tif"),
        (["phantom", "out", "--shape", "8,0,32"], "shape must be three positive numbers"),
        (["phantom", "out", "--shape", "8,32,32", "--defects", "2"], "must lie between 0 and 1, got 2"),
        (["segment", "none.zarr", "b.tif"], "a zarr folder of affinities was expected at none.zarr"),
        (["report"], "at least one run folder, got none"),
        (["demo", "out", "--bundles", "nowhere"], "bundles mae_pretrain and em_segmentation were expected"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(run, monkeypatch, tmp_path, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*arguments)
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sentence in err
    assert list(tmp_path.iterdir()) == []


def test_segmentations_of_another_shape_are_refused(run, labels, tmp_path):
    write_volume(tmp_path / "a.tif", labels, voxel_size_nm=(30, 6, 6))
    write_volume(tmp_path / "b.tif", labels[:5], voxel_size_nm=(30, 6, 6))
    code, _, err = run("evaluate", tmp_path / "a.tif", tmp_path / "b.tif")
    assert code == 2
    assert "(6, 12, 14), got (5, 12, 14)" in err


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_explains_itself(run, command):
    code, out, err = run(command, "--help")
    assert code == 0
    assert COMMANDS[command].__doc__.split(".")[0][:40] in (out + err)
