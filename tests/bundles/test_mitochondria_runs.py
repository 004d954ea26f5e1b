"""Mitochondria as a MONAI user finds them: the overlay of the targets in training, evaluation and inference."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sectome.map_file import StoredMaps
from sectome.phantom import make_phantom
from sectome.postprocess import BoundaryContourOptions, boundary_contour_to_labels
from sectome.report import write_report
from sectome.training import read_history
from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES, TINY

TARGETS = "targets/boundary_contour"
SHORT = {
    **TINY["em_segmentation"],
    "epochs": 2,
    "epoch_length": 3,
    "val_interval": 1,
    "val_crops": 2,
    "batch_size": 2,
    "crop_size": [8, 32, 32],
    "patch_size": [4, 16, 16],
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mitochondria_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mitochondria")
    for seed, name in enumerate(("train", "validation", "test"), start=1):
        phantom = make_phantom((16, 96, 96), (30, 6, 6), seed)
        write_volume(folder / name / "images/cube.tif", phantom.raw, voxel_size_nm=(30, 6, 6))
        write_volume(folder / name / "labels/cube.tif", phantom.mitochondria, voxel_size_nm=(30, 6, 6))
    return folder


@pytest.fixture(scope="module")
def trained(run_bundle, mitochondria_folder, tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    done = run_bundle(
        "em_segmentation",
        ["train", TARGETS],
        dataset_dir=mitochondria_folder,
        output_dir=run,
        ckpt_dir=run,
        **SHORT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return run


@pytest.fixture(scope="module")
def evaluated(run_bundle, mitochondria_folder, trained):
    done = run_bundle(
        "em_segmentation",
        ["train", "evaluate", TARGETS],
        dataset_dir=mitochondria_folder,
        output_dir=trained,
        ckpt_dir=trained,
        **SHORT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return trained


def test_training_has_two_channels(trained):
    assert json.loads((trained / "run.json").read_text())["settings"]["out_channels"] == 2
    assert {"loss", "val_loss"} <= {row[2] for row in read_history(trained / "history.csv")}


def test_evaluation_scores_with_controls_and_the_report_shows_them(evaluated, tmp_path):
    result = json.loads((evaluated / "scores.json").read_text())
    assert set(result["scores"]) == {"watershed", "connected components", "all background", "true maps"}
    assert result["scores"]["true maps"]["foreground_iou"] > 0.9
    assert (result["validation"], result["test"]) == (["validation/images/cube.tif"], ["test/images/cube.tif"])
    text = write_report([evaluated], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "finds mitochondria with a foreground IoU of" in text
    assert "Raw, foreground, segmentation and truth" in text


def test_inference_writes_instances_by_what_the_evaluation_chose(run_bundle, mitochondria_folder, evaluated, tmp_path):
    options = {**TINY["em_segmentation"], "crop_size": [8, 32, 32], "patch_size": [4, 16, 16], "min_size_voxels": 0}
    image = mitochondria_folder / "test/images/cube.tif"
    done = run_bundle(
        "em_segmentation",
        ["inference", TARGETS],
        image=image,
        checkpoint=evaluated / "model.pt",
        output_dir=tmp_path,
        **options,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    labels = open_volume(tmp_path / "cube_labels.tif")
    assert (labels.shape, labels.voxel_size_nm) == ((16, 96, 96), (30, 6, 6))
    assert np.issubdtype(labels.dtype, np.integer)


def test_a_volume_of_any_size_is_predicted_and_segmented_by_commands(
    run, run_bundle, mitochondria_folder, evaluated, tmp_path
):
    image, model = mitochondria_folder / "test/images/cube.tif", evaluated / "model.pt"
    bundle = BUNDLES / "em_segmentation"
    code, _, err = run("predict", image, tmp_path / "maps.zarr", "--bundle", bundle, "--checkpoint", model)
    assert code == 0, err
    code, out, err = run(
        "mitochondria", tmp_path / "maps.zarr", tmp_path / "m.tif", "--checkpoint", model, "--min_size_voxels", 0
    )
    assert (code, "wrote" in out) == (0, True), err
    assert open_volume(tmp_path / "m.tif").voxel_size_nm == (30, 6, 6)
    done = run_bundle(
        "em_segmentation",
        ["inference", TARGETS],
        image=image,
        checkpoint=model,
        output_dir=tmp_path,
        save_affinities=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    predicted, saved = (StoredMaps(tmp_path / name).read_all() for name in ("maps.zarr", "cube_maps.zarr"))
    assert predicted.shape == saved.shape == (2, 16, 96, 96)
    assert np.abs(predicted.astype(int) - saved).max() <= 1
    config = {"volume": str(image), "bundle": str(bundle), "checkpoint": str(model), "scheduler": "threads"}
    settings = {**config, "output": str(tmp_path / "labels.ome.zarr"), "segmentation": {"min_size_voxels": 0}}
    (tmp_path / "run.json").write_text(json.dumps(settings))
    code, _, err = run("segment-volume", "--config", tmp_path / "run.json")
    assert code == 0, err
    blocks = StoredMaps(tmp_path / "labels.ome.zarr.run/maps.zarr").read_all()
    assert np.abs(blocks.astype(int) - predicted).max() <= 1
    whole = boundary_contour_to_labels(blocks, **vars(BoundaryContourOptions.for_model(model).but(min_size_voxels=0)))
    np.testing.assert_array_equal(open_volume(tmp_path / "labels.ome.zarr")[...], whole)


@pytest.mark.parametrize(
    ("configs", "options", "sentence"),
    [
        (["train", "evaluate"], {}, "was trained with channels ['foreground', 'contour'], got None; use"),
        (
            ["train", TARGETS, "evaluate"],
            {},
            "predictions must have 12 channels, one per offset, got 2; name the overlay",
        ),
        (
            ["train", "evaluate", TARGETS],
            {"loss__width_voxels": 2},
            "was trained with contour_width_voxels 1, got 2; use",
        ),
        (
            ["train", "evaluate", TARGETS],
            {"loss__in_plane": False},
            "was trained with contour_in_plane True, got False; use",
        ),
    ],
    ids=["without the overlay", "overlay before evaluate", "wider contours", "contours across sections"],
)
def test_an_evaluation_of_other_targets_is_refused(
    run_bundle, mitochondria_folder, trained, tmp_path, configs, options, sentence
):
    done = run_bundle(
        "em_segmentation",
        configs,
        dataset_dir=mitochondria_folder,
        output_dir=tmp_path / "run",
        ckpt_dir=trained,
        **SHORT,
        **options,
    )
    assert done.returncode == 2, done.stderr[-3000:]
    assert sentence in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "run/scores.json").exists()


def test_the_affinities_overlay_switches_back(run_bundle, mitochondria_folder, tmp_path):
    options = {**SHORT, "epochs": 1, "epoch_length": 1}
    done = run_bundle(
        "em_segmentation",
        ["train", TARGETS, "targets/affinities"],
        dataset_dir=mitochondria_folder,
        output_dir=tmp_path,
        ckpt_dir=tmp_path,
        **options,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads((tmp_path / "run.json").read_text())["settings"]["out_channels"] == 12


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ({"loss__width_voxels": 0}, "width_voxels must be a whole number of at least 1, got 0"),
        ({"loss__width": 2}, "unknown config key 'loss#width': scripts.BoundaryContourLoss does not take it"),
        ({"out_channels": 3}, "logits must have the channels foreground, contour, got shape (2, 3, 8, 32, 32)"),
    ],
)
def test_bad_input_is_one_sentence(run_bundle, mitochondria_folder, tmp_path, override, sentence):
    run = tmp_path / "run"
    options = {**SHORT, "dataset_dir": mitochondria_folder, "output_dir": run, "ckpt_dir": run, **override}
    done = run_bundle("em_segmentation", ["train", TARGETS], **options)
    assert done.returncode == 2, done.stderr[-3000:]
    assert sentence in done.stderr.strip().splitlines()[-1]
    assert not (run / "checkpoint.pt").exists()
