"""The command line: what each command prints and writes, and one sentence for a mistake."""

from __future__ import annotations

import csv
import inspect
import json
import subprocess
import sys
import time
from functools import wraps

import numpy as np
import pytest
import torch
from fire import docstrings

from sectome.affinities import labels_to_affinities
from sectome.affinity_file import write_affinities
from sectome.cli import COMMANDS
from sectome.neighbourhoods import LONG_RANGE, NEAREST
from sectome.postprocess import BoundaryContourOptions, SegmentationOptions, save_options
from sectome.transforms import boundary_contour
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


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (["--suffix", "tif"], "suffix must begin with a dot, such as .tif, got 'tif'"),
        (["--defects", "some"], "the share of sections with defects must lie in 0..1, got 'some'"),
    ],
)
def test_a_phantom_that_is_asked_for_wrongly_is_not_written(run, tmp_path, option, sentence):
    code, _, err = run("phantom", tmp_path / "tissue", "--shape", "4,16,16", *option)
    assert (code, err) == (2, f"error: {sentence}\n")
    assert not (tmp_path / "tissue").exists()


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


@pytest.fixture
def predicted_folder(labels, tmp_path):
    """Soft affinities with long-range offsets as a.zarr and a.npy, and their truth."""
    true, _ = labels_to_affinities(labels, LONG_RANGE)
    noise = np.random.default_rng(0).normal(size=true.shape)
    affinities = (1 / (1 + np.exp(-(6 * true - 3 + noise)))).astype(np.float32)
    write_affinities(tmp_path / "a.zarr", affinities, LONG_RANGE, (30, 6, 6))
    np.save(tmp_path / "a.npy", affinities)
    write_volume(tmp_path / "truth.tif", labels, voxel_size_nm=(30, 6, 6))
    return tmp_path


def test_tuning_keeps_its_choice_and_its_curve_beside_the_model_for_the_next_call(run, predicted_folder):
    (predicted_folder / "models").mkdir()
    model = predicted_folder / "models/model.pt"
    code, _, err = run("segment", predicted_folder / "a.zarr", predicted_folder / "tuned.h5", "--checkpoint", model)
    assert code == 2
    assert f"expected a trained model at {model}, got none" in err
    model.touch()
    code, out, err = run(
        *("segment", predicted_folder / "a.zarr", predicted_folder / "tuned.h5"),
        *("--tune", predicted_folder / "truth.tif", "--checkpoint", model),
    )
    assert code == 0, err
    assert "settings: VOI" in out
    kept = json.loads((predicted_folder / "models/segmentation.json").read_text())
    assert min(row["voi_split"] + row["voi_merge"] for row in kept["curve"]) == pytest.approx(kept["scores"]["voi"])
    assert {row["method"] for row in kept["curve"]} == {"mean", "mutex"}
    code, _, _ = run("segment", predicted_folder / "a.zarr", predicted_folder / "again.h5", "--checkpoint", model)
    assert code == 0
    tuned, again = (np.asarray(open_volume(predicted_folder / f"{name}.h5")) for name in ("tuned", "again"))
    np.testing.assert_array_equal(tuned, again)


@pytest.mark.parametrize("output", ["labels.zarr", "new/labels.h5:volumes/labels"])
def test_without_a_model_the_choice_is_kept_beside_an_output_that_is_replaced(run, predicted_folder, output):
    tune = ["--tune", predicted_folder / "truth.tif", "--method", "mean", "--boundary_threshold", 0.5]
    for _ in range(2):
        code, _, err = run("segment", predicted_folder / "a.zarr", predicted_folder / output, *tune)
        assert code == 0, err
        kept = (predicted_folder / output.partition(":")[0]).with_name("segmentation.json")
        assert json.loads(kept.read_text())["options"]["method"] == "mean"
        assert list(predicted_folder.rglob("segmentation.json")) == [kept]
        kept.unlink()


def test_tuning_without_a_model_needs_a_local_output(run, predicted_folder):
    tune = ["--tune", predicted_folder / "truth.tif"]
    code, _, err = run("segment", predicted_folder / "a.zarr", "s3://bucket/labels.zarr", *tune)
    assert (code, err.count("\n")) == (2, 1)
    assert "or --checkpoint, beside which it writes its choice, got s3://bucket/labels.zarr and none" in err


def test_an_npy_file_is_segmented_with_its_offsets_and_percentiles(run, predicted_folder):
    options = ["--offsets", "long_range", "--voxel_size_nm", "30,6,6", "--boundary_threshold", "30%", "--threads", 1]
    code, out, err = run("segment", predicted_folder / "a.npy", predicted_folder / "b.tif", *options)
    assert code == 0, err
    assert "objects" in out
    assert open_volume(predicted_folder / "b.tif").voxel_size_nm == (30, 6, 6)


@pytest.mark.parametrize("first_line", [b"z,y,x,z,y,x\n", b"\xef\xbb\xbf", b"Schnitth\xf6he,y,x,z,y,x\n"])
def test_voxels_of_a_file_are_kept_apart(run, labels, predicted_folder, first_line):
    one, other = (np.argwhere(labels == label)[0].tolist() for label in (1, 2))
    (predicted_folder / "apart.csv").write_bytes(first_line + ",".join(map(str, one + other)).encode() + b"\n")
    options = ["--threshold", 0, "--fragments", "watershed", "--apart", predicted_folder / "apart.csv"]
    code, _, err = run("segment", predicted_folder / "a.zarr", predicted_folder / "b.h5", *options)
    assert code == 0, err
    segments = np.asarray(open_volume(predicted_folder / "b.h5"))
    assert segments[tuple(one)] != segments[tuple(other)]


def test_voxels_beyond_the_volume_are_refused_before_anything_is_tuned(run, labels, predicted_folder):
    write_volume(predicted_folder / "truth.tif", labels, voxel_size_nm=(30, 6, 6))
    (predicted_folder / "apart.csv").write_text("0,0,0,0,0,99\n")
    options = ["--tune", predicted_folder / "truth.tif", "--apart", predicted_folder / "apart.csv"]
    code, _, err = run("segment", predicted_folder / "a.zarr", predicted_folder / "b.tif", *options)
    assert code == 2
    assert "must lie in the volume of shape (6, 12, 14), got (0, 0, 99)" in err
    assert not (predicted_folder / "segmentation.json").exists()


def test_evaluation_lists_objects_and_mistakes_with_their_places(run, labels, tmp_path):
    wrong = np.where(labels == 2, 1, labels)
    write_volume(tmp_path / "truth.tif", labels, voxel_size_nm=(30, 6, 6))
    write_volume(tmp_path / "wrong.tif", wrong, voxel_size_nm=(30, 6, 6))
    options = ["--objects", tmp_path / "objects.csv", "--mistakes", tmp_path / "mistakes.csv", "--run_length"]
    code, out, err = run("evaluate", tmp_path / "truth.tif", tmp_path / "wrong.tif", *options)
    assert code == 0, err
    scores = json.loads(out)
    assert 0 < scores["expected_run_length_nm"] <= scores["greatest_run_length_nm"]
    with (tmp_path / "mistakes.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["kind"], sorted(row["objects"].split())) == ("merge", ["1", "2"])
    z, y, x = (int(row[axis]) for axis in "zyx")
    assert labels[z, y, x] in (1, 2)
    assert float(row["z_nm"]) == 30 * z
    assert len((tmp_path / "objects.csv").read_text().splitlines()) == 1 + len(np.unique(labels[labels > 0]))
    code, out, _ = run("evaluate", tmp_path / "truth.tif", tmp_path / "truth.tif", "--background")
    assert json.loads(out)["average_precision_75_mitoem"] == 1


@pytest.mark.parametrize(("flags", "share"), [([], 1), (["--background"], 1 / 4)])
def test_where_0_is_background_it_counts_in_the_scores_of_objects(run, tmp_path, flags, share):
    truth = np.zeros((4, 10, 20), np.uint8)
    truth[:, :, :5] = 1
    np.save(tmp_path / "truth.npy", truth)
    np.save(tmp_path / "segmentation.npy", np.full_like(truth, 7))
    options = ["--objects", tmp_path / "objects.csv", *flags]
    code, _, err = run("evaluate", tmp_path / "truth.npy", tmp_path / "segmentation.npy", *options)
    assert code == 0, err
    with (tmp_path / "objects.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["object"], row["best_segment"], float(row["recall"])) == ("1", "7", 1)
    assert (float(row["precision"]), float(row["iou"])) == (share, share)


def test_places_of_mistakes_count_from_the_volumes_offset_and_what_lies_elsewhere_is_warned_of(run, labels, tmp_path):
    wrong = np.where(labels == 2, 1, labels)
    for name, values, size_nm, x_nm in (
        ("truth", labels, (30, 6, 6), 60),
        ("wrong", wrong, (30, 6, 6), 66),
        ("other", wrong, (8, 8, 8), 60),
    ):
        write_volume(tmp_path / f"{name}.zarr", values, voxel_size_nm=size_nm, offset_nm=(90, 12, x_nm))
    begin = r"wrong.zarr and its truth .*truth.zarr begin at \(90.0, 12.0, 66.0\) and \(90.0, 12.0, 60.0\) nm"
    with pytest.warns(UserWarning, match=begin):
        run("evaluate", tmp_path / "truth.zarr", tmp_path / "wrong.zarr", "--mistakes", tmp_path / "mistakes.csv")
    with (tmp_path / "mistakes.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["z_nm"]) == 90 + 30 * int(row["z"])
    with pytest.warns(UserWarning, match=r"have voxels of \(8.0, 8.0, 8.0\) and \(30.0, 6.0, 6.0\) nm"):
        run("evaluate", tmp_path / "truth.zarr", tmp_path / "other.zarr")


PART = (slice(1, 5), slice(2, 12), slice(0, 9))
"""Where a cube of truth lies in the labels, whose first voxel lies at (300, 60, 6) nm."""


@pytest.fixture
def truth_of_a_part(labels, tmp_path):
    write_volume(tmp_path / "part.zarr", labels[PART], voxel_size_nm=(30, 6, 6), offset_nm=(330, 72, 6))
    return tmp_path / "part.zarr"


def test_a_truth_is_scored_where_it_lies_in_a_larger_segmentation(run, labels, tmp_path, truth_of_a_part):
    wrong = np.where(labels == 2, 1, labels)
    write_volume(tmp_path / "whole.zarr", wrong, voxel_size_nm=(30, 6, 6), offset_nm=(300, 60, 6))
    write_volume(tmp_path / "same.zarr", wrong[PART], voxel_size_nm=(30, 6, 6), offset_nm=(330, 72, 6))
    said, rows = [], []
    for name in ("whole", "same"):
        options = ["--mistakes", tmp_path / f"{name}.csv"]
        code, out, err = run("evaluate", truth_of_a_part, tmp_path / f"{name}.zarr", *options)
        assert code == 0, err
        said.append(out)
        rows.append((tmp_path / f"{name}.csv").read_text())
    assert said[0] == said[1]
    assert rows[0] == rows[1]
    assert json.loads(said[0])["voi_merge"] > 0


def test_a_part_with_truth_tunes_the_whole(run, labels, predicted_folder, truth_of_a_part):
    affinities = np.load(predicted_folder / "a.npy")
    write_affinities(predicted_folder / "b.zarr", affinities, LONG_RANGE, (30, 6, 6), (300, 60, 6))
    cut = np.ascontiguousarray(affinities[(slice(None), *PART)])
    write_affinities(predicted_folder / "cut.zarr", cut, LONG_RANGE, (30, 6, 6), (330, 72, 6))
    kept = []
    for name in ("b", "cut"):
        options = ["--tune", truth_of_a_part, "--method", "mean"]
        code, _, err = run("segment", predicted_folder / f"{name}.zarr", predicted_folder / f"of_{name}.h5", *options)
        assert code == 0, err
        kept.append(json.loads((predicted_folder / "segmentation.json").read_text()))
    assert kept[0]["curve"] == kept[1]["curve"]
    assert open_volume(predicted_folder / "of_b.h5").shape == labels.shape


def test_a_truth_of_another_shape_without_a_place_is_refused(run, labels, tmp_path, predicted_folder):
    np.save(tmp_path / "part.npy", labels[PART])
    for words in (
        ["evaluate", tmp_path / "part.npy", predicted_folder / "truth.tif"],
        ["segment", predicted_folder / "a.zarr", tmp_path / "b.h5", "--tune", tmp_path / "part.npy"],
    ):
        code, _, err = run(*words)
        assert (code, err.count("\n")) == (2, 1)
        assert "must have the shape of" in err
        assert "(6, 12, 14), or an offset that places it there, got (4, 10, 9)" in err


def test_objects_never_replace_what_they_are_made_from(run, predicted_folder):
    for command, output in (("segment", "a.zarr"), ("segment", "a.zarr:labels"), ("mitochondria", "a.zarr")):
        code, _, err = run(command, predicted_folder / "a.zarr", predicted_folder / output)
        assert code == 2
        assert "output must be a different place from the input" in err


@pytest.mark.parametrize("value", ["5", "true"])
def test_a_list_of_mistakes_needs_a_file(run, tmp_path, value):
    write_volume(tmp_path / "truth.tif", np.ones((2, 3, 4), np.uint8), voxel_size_nm=(30, 6, 6))
    code, _, err = run("evaluate", tmp_path / "truth.tif", tmp_path / "truth.tif", "--mistakes", value)
    assert code == 2
    assert f"--mistakes must name a CSV file to write, got {value}" in err


@pytest.mark.parametrize(
    "words",
    [
        ["segment", "a.zarr", "b.h5", "--checkpoint"],
        ["segment", "a.zarr", "b.h5", "--apart", "--threads", "2"],
        ["evaluate", "truth.tif", "truth.tif", "--mistakes"],
        ["bundle", "bundles/em_segmentation", "b", "--overlays"],
        ["report", "runs/a", "--out"],
        ["segment", "a.zarr", "b.h5", "--foreground_threshold"],
        ["segment", "a.zarr", "b.h5", "--bias", "--method", "mutex"],
        ["phantom", "tissue", "--defects"],
    ],
)
def test_a_value_that_is_missing_after_its_flag_is_said(run, words):
    flag = next(word for word in words if word.startswith("--"))
    assert run(*words) == (2, "", f"error: sectome {words[0]} expected a value after {flag}, got none\n")


def test_mitochondria_come_from_foreground_and_contour(run, labels, tmp_path):
    targets, _ = boundary_contour(torch.from_numpy(labels.astype(np.int64)), 1, False)
    np.save(tmp_path / "p.npy", targets.numpy().astype(np.float32))
    options = ["--min_seed_voxels", 1, "--min_size_voxels", 1, "--voxel_size_nm", "30,6,6"]
    code, out, err = run("mitochondria", tmp_path / "p.npy", tmp_path / "m.tif", *options)
    assert code == 0, err
    assert "3 objects" in out
    write_affinities(tmp_path / "p.zarr", targets.numpy(), ("foreground", "contour"), (30, 6, 6))
    save_options(tmp_path / "segmentation.json", BoundaryContourOptions(min_seed_voxels=1, min_size_voxels=1), {})
    code, out, err = run("mitochondria", tmp_path / "p.zarr", tmp_path / "n.tif", "--checkpoint", tmp_path / "model.pt")
    assert code == 0, err
    assert np.array_equal(open_volume(tmp_path / "n.tif")[:], open_volume(tmp_path / "m.tif")[:])
    assert open_volume(tmp_path / "n.tif").voxel_size_nm == (30, 6, 6)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none.npy", "expected a file of maps at"),
        ("none.zarr", "expected a zarr folder of maps at"),
        ("p.npy", "voxel_size_nm must be given for"),
        ("p.tif", "p.tif, got a file"),
        ("affinities.zarr", "must hold maps with channels and voxel_size_nm, got: no 'channels'"),
        (
            "others.zarr",
            "expected the maps foreground, contour, distance, of which the last is optional, in",
        ),
    ],
)
def test_what_holds_no_foreground_and_contour_is_refused(run, tmp_path, name, sentence):
    maps = np.zeros((2, 4, 4, 4), np.float32)
    np.save(tmp_path / "p.npy", maps)
    write_volume(tmp_path / "p.tif", maps[0], voxel_size_nm=(30, 6, 6))
    write_affinities(tmp_path / "affinities.zarr", maps, ((-1, 0, 0), (0, -1, 0)), (30, 6, 6))
    write_affinities(tmp_path / "others.zarr", maps, ("contour", "foreground"), (30, 6, 6))
    code, _, err = run("mitochondria", tmp_path / name, tmp_path / "m.tif")
    assert code == 2
    assert sentence in err
    assert not (tmp_path / "m.tif").exists()


def test_a_use_of_long_range_offsets_that_are_not_there_is_refused(run, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 4, 8, 8), np.float32))
    of_file = ("--offsets", "nearest", "--voxel_size_nm", "30,6,6")
    for use in ("all", "touching"):
        code, _, err = run("segment", tmp_path / "a.npy", tmp_path / "b.tif", *of_file, "--long_range", use)
        assert code == 2
        assert err == f"error: long_range must be no with nearest-neighbour offsets alone, got {use}\n"
        assert not (tmp_path / "b.tif").exists()
    # What is kept beside a model was not asked for here.
    (tmp_path / "model.pt").touch()
    save_options(tmp_path / "segmentation.json", SegmentationOptions(long_range="touching"), {})
    for options in (["--long_range", "no"], ["--checkpoint", tmp_path / "model.pt"]):
        code, _, err = run("segment", tmp_path / "a.npy", tmp_path / "b.tif", *of_file, *options)
        assert code == 0, err


def test_a_threshold_is_refused_where_the_mutex_watershed_was_chosen_for_the_model(run, predicted_folder):
    model = predicted_folder / "model.pt"
    model.touch()
    save_options(predicted_folder / "segmentation.json", SegmentationOptions(method="mutex"), {})
    call = ("segment", predicted_folder / "a.zarr", predicted_folder / "b.tif", "--checkpoint", model)
    code, _, err = run(*call, "--threshold", 0.4)
    assert code == 2
    assert err == "error: threshold must be left out with method mutex, where it does nothing, got 0.4\n"
    code, _, err = run(*call, "--threshold", 0.4, "--method", "mean")
    assert code == 0, err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--threshold", 2], "threshold must lie in 0..1, got 2"),
        (["--method", "median"], "method must be mean, quantile_Q"),
        (["--boundary_threshold", "200%"], "got '200%'"),
        (["--apart", "none.csv"], "expected a CSV file of voxel pairs at none.csv"),
        (["--tune", "none.tif"], "none.tif"),
        (["--criterion", "are"], "criterion must be given with --tune only, got 'are' without it"),
        (["--bias", 0.1], "bias must be left out with method mean, where it does nothing, got 0.1"),
        (["--offsets", "nearest"], "offsets and voxel_size_nm must be given for .npy files only"),
        (["--threads", 0], "threads must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_options_of_a_segmentation_leave_nothing_behind(run, predicted_folder, options, sentence):
    code, _, err = run("segment", predicted_folder / "a.zarr", predicted_folder / "b.tif", *options)
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1
    assert not (predicted_folder / "b.tif").exists()
    assert not (predicted_folder / "segmentation.json").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["info", "none.tif"], "none.tif"),
        (["convert", "none.tif", "b.zarr"], "none.tif"),
        (["phantom", "out", "--shape", "8,0,32"], "the shape in voxels must be three whole numbers of at least 1"),
        (["phantom", "out", "--shape", "8,32,32", "--defects", "2"], "must lie in 0..1, got 2"),
        (["segment", "none.zarr", "b.tif"], "expected a zarr folder of affinities at none.zarr"),
        (["report"], "at least one run folder, got none"),
        (["demo", "out", "--bundles", "nowhere"], "expected the bundles mae_pretrain and em_segmentation in"),
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
    assert f"must have the shape of {tmp_path / 'b.tif'}, (5, 12, 14)" in err


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_misspelt_flag_is_refused_before_the_command_runs(run, monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    ran = []
    *_, flag = inspect.signature(COMMANDS[command]).parameters
    monkeypatch.setitem(COMMANDS, command, wraps(COMMANDS[command])(lambda *words, **flags: ran.append(flags)))
    code, _, err = run(command, "a", "b", f"--{flag}x", "1")
    assert (code, ran) == (2, [])
    assert err == f"error: sectome {command} has no flag '--{flag}x', did you mean '--{flag}'?\n"
    code, _, err = run(command, "a", "b", "--zzzzzzzz=1")
    assert (code, ran) == (2, [])
    assert f"sectome {command} has no flag '--zzzzzzzz', expected one of --" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_describes_the_arguments_that_there_are(command):
    described = docstrings.parse(inspect.getdoc(COMMANDS[command])).args
    assert [argument.name for argument in described] == list(inspect.signature(COMMANDS[command]).parameters)


def test_a_misspelt_flag_of_a_segmentation_writes_nothing(run, predicted_folder):
    code, _, err = run("segment", predicted_folder / "a.zarr", predicted_folder / "b.tif", "--treshold", 0.5)
    assert code == 2
    assert err == "error: sectome segment has no flag '--treshold', did you mean '--threshold'?\n"
    assert not (predicted_folder / "b.tif").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["segmnt", "a", "b"], "unknown command 'segmnt', did you mean 'segment'?"),
        (["xyzzy"], "unknown command 'xyzzy', expected one of info, convert"),
        (["info", "a.tif", "1,1,1", "c.tif"], "sectome info takes no more arguments, got 'c.tif'"),
        (["info", "a.tif", "--voxel-size-nm", "1,1,1", "c.tif"], "takes no more arguments, got 'c.tif'"),
        (["evaluate", "a", "b", "--nobackgrund"], "has no flag '--nobackgrund', did you mean '--background'?"),
        (["segment", "a", "b", "-m", "mean"], "sectome segment has no flag '-m', expected one of --affinities"),
        (["predict", "a", "b", "--compile", "maybe"], "compile must be true or false, got 'maybe'"),
        (["predict", "--compile=no", "a", "b"], "compile must be true or false, got 'no'"),
        (["study", "a", "--dry_run", "b"], "dry_run must be true or false, got 'b'"),
    ],
)
def test_what_no_command_takes_is_one_sentence(run, arguments, sentence):
    code, _, err = run(*arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert sentence in err


@pytest.mark.parametrize(
    "flags",
    [
        ["--background"],
        ["--nobackground"],
        ["-b"],
        ["-b", "true"],
        ["--background", "false"],
        ["--background=false"],
        ["--run-length=False", "--background=True"],
        ["True"],
        [],
    ],
)
def test_flags_are_taken_in_every_way_that_fire_takes_them(run, labels, tmp_path, flags):
    write_volume(tmp_path / "a.tif", labels, voxel_size_nm=(30, 6, 6))
    code, out, err = run("evaluate", tmp_path / "a.tif", tmp_path / "a.tif", *flags)
    assert code == 0, err
    assert ("average_precision_75_mitoem" in json.loads(out)) == (
        flags not in ([], ["--nobackground"], ["--background", "false"], ["--background=false"])
    )


def test_words_stay_as_they_were_typed(run, monkeypatch, labels, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("2024.10.npy", "a#1.npy"):
        np.save(tmp_path / name, labels)
    assert json.loads(run("info", "2024.10.npy")[1])["shape"] == [6, 12, 14]
    assert run("convert", "a#1.npy", "b#2.tif", "--voxel_size_nm", "40,4,4")[0] == 0
    assert np.array_equal(open_volume(tmp_path / "b#2.tif"), labels)
    assert "got '2024.10'" in run("info", "2024.10")[2]
    for name in ("2024.10", "runs#2"):
        assert f"got {tmp_path / name}, which has none" in run("report", name, "--out", "a.html")[2]


def test_a_number_is_a_name_where_a_name_is_asked_for(run, monkeypatch, labels, tmp_path):
    monkeypatch.chdir(tmp_path)
    affinities, _ = labels_to_affinities(labels, NEAREST)
    write_affinities(tmp_path / "a.zarr", affinities.astype(np.float32), NEAREST, (30, 6, 6))
    (tmp_path / "a.zarr").rename(tmp_path / "2024")
    code, out, err = run("segment", "2024", "7.tif", "--min_size_voxels", 0)
    assert (code, out) == (0, "wrote 7.tif: 3 objects\n"), err
    assert "2024 must hold maps" in run("mitochondria", "2024", "8.tif")[2]
    assert run("phantom", 9, "--shape", "4,16,16")[0] == 0
    assert (tmp_path / "9/labels/phantom_0.tif").is_file()


def test_a_folder_is_never_replaced_by_a_file(run, labels, tmp_path):
    np.save(tmp_path / "a.npy", labels)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "notes.txt").write_text("precious")
    code, _, error = run("evaluate", tmp_path / "a.npy", tmp_path / "a.npy", "--objects", tmp_path / "results")
    assert code == 2
    assert f"expected a file or nothing at {tmp_path / 'results'}, got a folder" in error
    assert (tmp_path / "results" / "notes.txt").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "results"]


def test_what_the_system_refuses_is_one_sentence(run, labels, tmp_path):
    np.save(tmp_path / "a.npy", labels)
    code, _, error = run("convert", tmp_path / "a.npy", tmp_path / ("b" * 250 + ".tif"), "--voxel_size_nm", "40,4,4")
    assert code == 2
    assert error.startswith("error: ")
    assert "File name too long" in error


@pytest.mark.parametrize("unknown", [-1, 2**64 - 3])
@pytest.mark.parametrize("background", [False, True])
def test_voxels_of_which_nothing_is_known_are_not_scored(run, labels, tmp_path, unknown, background):
    truth = labels.astype(np.int64 if unknown < 0 else np.uint64)
    truth[:3] = unknown
    segmentation = labels.copy()
    segmentation[:3] = np.arange(3 * 12 * 14).reshape(3, 12, 14) + 10
    np.save(tmp_path / "truth.npy", truth)
    np.save(tmp_path / "segmentation.npy", segmentation)
    words = ["--background"] if background else []
    code, out, _ = run("evaluate", tmp_path / "truth.npy", tmp_path / "segmentation.npy", *words)
    scores = json.loads(out)
    assert code == 0
    assert scores["adapted_rand_error"] == scores["voi"] == 0
    assert scores["average_precision_75"] == 1


def test_a_name_that_can_not_be_written_is_refused_before_the_work(run, predicted_folder):
    before = sorted(path.name for path in predicted_folder.iterdir())
    words = ["--tune", predicted_folder / "truth.tif"]
    code, _, error = run("segment", predicted_folder / "affinities.zarr", predicted_folder / "labels.jpg", *words)
    assert code == 2
    assert "labels.jpg" in error
    assert sorted(path.name for path in predicted_folder.iterdir()) == before


@pytest.mark.parametrize("command", ["segment", "mitochondria"])
@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("a.h5", "holds others"),
        ("a.h5:raw/labels", "expected a group at 'raw'"),
        ("no.h5:labels", "expected a readable HDF5"),
        ("a.zarr", "holds others"),
        ("a.ome.zarr", "holds others"),
        ("a.n5", "holds others"),
        ("a.npz", "holds others"),
        ("folder", "which holds note.txt"),
        ("folder/note", "got the file"),
        ("folder.precomputed", "got something else, which stays as it is"),
    ],
)
def test_an_output_that_holds_something_else_is_refused_before_the_work(run, tmp_path, command, output, message):
    for container in ("a.h5", "a.zarr", "a.ome.zarr", "a.n5", "a.npz"):
        for name in ("raw", "mask"):
            write_volume(f"{tmp_path}/{container}:{name}", np.ones((2, 3, 4), np.uint8), voxel_size_nm=(30, 6, 6))
    for place in ("no.h5", "folder/note.txt", "folder/note", "folder.precomputed/note.txt"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    code, out, error = run(command, tmp_path / "not_read.zarr", tmp_path / output)
    assert (code, out) == (2, "")
    assert message in error
    assert sorted(tmp_path.rglob("*")) == before


def test_lists_replace_neither_what_is_read_nor_each_other(run, labels, tmp_path):
    write_volume(tmp_path / "a.zarr", labels, voxel_size_nm=(30, 6, 6))
    write_volume(tmp_path / "b.tif", labels, voxel_size_nm=(30, 6, 6))
    evaluate = ("evaluate", tmp_path / "a.zarr", tmp_path / "b.tif", "--objects")
    before = (tmp_path / "b.tif").read_bytes()
    for words in (["b.tif"], ["x.csv", "--mistakes", tmp_path / "x.csv"]):
        code, out, error = run(*evaluate, tmp_path / words[0], *words[1:])
        assert (code, out) == (2, "")
        assert "must be a file of its own" in error
    assert (tmp_path / "b.tif").read_bytes() == before
    assert not (tmp_path / "x.csv").exists()


def test_an_image_as_truth_is_warned_of(run, labels, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, labels.shape).astype(np.uint8)
    np.save(tmp_path / "image.npy", image)
    np.save(tmp_path / "labels.npy", labels)
    with pytest.warns(UserWarning, match="expected labels in .*image.npy, got values that change from voxel to voxel"):
        run("evaluate", tmp_path / "image.npy", tmp_path / "labels.npy")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(run, labels, tmp_path, predicted_folder):
    np.save(tmp_path / "a.npy", labels)
    note = tmp_path / "note.txt"
    note.write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    affinities, a = predicted_folder / "affinities.zarr", tmp_path / "a.npy"
    tune = ["--tune", predicted_folder / "truth.tif"]
    for words in (
        ["segment", affinities, note / "labels.tif"],
        ["segment", affinities, tmp_path / "labels.tif", *tune, "--checkpoint", note / "model.pt"],
        ["evaluate", a, a, "--objects", note / "objects.csv"],
        ["export", tmp_path, note / "model.onnx"],
    ):
        code, out, error = run(*words)
        assert (code, out) == (2, "")
        assert "must be a folder, got" in error
    assert sorted(tmp_path.rglob("*")) == before


def test_a_list_of_mistakes_needs_a_voxel_size_before_anything_is_written(run, labels, tmp_path):
    np.save(tmp_path / "a.npy", labels)
    words = ["--objects", tmp_path / "objects.csv", "--mistakes", tmp_path / "mistakes.csv"]
    code, _, error = run("evaluate", tmp_path / "a.npy", tmp_path / "a.npy", *words)
    assert code == 2
    assert "expected a truth with a voxel size" in error
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_a_termination_leaves_nothing_half_written(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((400, 512, 512), np.uint8))
    command = [sys.executable, "-c", "from sectome.cli import main; main()", "convert", "a.npy", "b.h5"]
    with subprocess.Popen([*command, "--voxel_size_nm", "40,4,4"], cwd=tmp_path, stderr=subprocess.DEVNULL) as convert:
        while convert.poll() is None and not list(tmp_path.glob(".b.h5*")):
            time.sleep(0.01)
        convert.terminate()
        code = convert.wait(timeout=60)
    assert code in (0, 130)
    assert not list(tmp_path.glob(".b.h5*"))
    assert code == 0 or not (tmp_path / "b.h5").exists()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_explains_itself(run, command):
    code, out, err = run(command, "--help")
    assert code == 0
    assert COMMANDS[command].__doc__.split(".")[0][:40] in (out + err)
    assert "GROUP" not in out + err
