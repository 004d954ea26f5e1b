"""Scores of mitochondria on volumes made by hand: each control is what it claims to be."""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.postprocess import AffinitiesToLabels, BoundaryContourToLabels
from sectome.replace import replacing
from sectome.report.runs import FOREGROUND_OVERLAYS, PLANES
from sectome.tissue import open_tissue
from sectome.volumes import write_volume

SIZE_NM = (30, 8, 8)


@pytest.fixture
def labels():
    """Two mitochondria that touch, one apart, (8, 32, 48)."""
    volume = np.zeros((8, 32, 48), np.int64)
    volume[1:7, 4:16, 4:16] = 1
    volume[1:7, 4:16, 16:28] = 2
    volume[1:7, 20:30, 32:44] = 3
    return volume


@pytest.fixture
def scores(segmentation_scripts):
    return importlib.import_module("scripts.mitochondria_scores")


@pytest.fixture
def evaluate(segmentation_scripts, tmp_path):
    """Return a function that hands predictions of one volume, for validation and test, to the handler."""

    def run(labels, logits, **options):
        raw = np.random.default_rng(0).integers(0, 255, labels.shape).astype(np.uint8)
        write_volume(tmp_path / "raw.tif", raw, voxel_size_nm=SIZE_NM)
        tissue = open_tissue([{"image": str(tmp_path / "raw.tif")}])
        handler = segmentation_scripts.MitochondriaScores(
            str(tmp_path / "run"), tissue, 1, 1, str(tmp_path / "model.pt"), **options
        )
        output = {"pred": torch.from_numpy(logits)[None].float(), "label": torch.from_numpy(labels)[None, None]}
        engine = SimpleNamespace(state=SimpleNamespace(output=output))
        handler.collect(engine)
        handler.finish(engine)
        return json.loads((tmp_path / "run/scores.json").read_text()), tmp_path

    return run


def predicted(labels, noise=1.0):
    from sectome.transforms import boundary_contour

    targets = boundary_contour(torch.from_numpy(labels))[0].numpy().astype(float)
    return 6 * targets - 3 + noise * np.random.default_rng(0).normal(size=targets.shape)


def test_the_foreground_is_scored_as_a_mask_where_it_is_known(scores):
    labels = np.array([0, 1, 2, 2, -1, -1])
    assert scores.foreground_iou(labels, np.array([1, 1, 1, 0, 1, 0], bool)) == 2 / 4
    assert scores.foreground_iou(labels, labels > 0) == 1
    assert scores.foreground_iou(np.zeros(3, int), np.zeros(3, bool)) == 1


def test_a_merge_costs_instances_and_not_the_foreground(scores, labels):
    merged = np.where(labels == 2, 1, labels)
    row = scores.score(labels, merged)
    assert row["foreground_iou"] == 1
    # The merged one is half of each: at an overlap of 0.5 it counts for one of the two.
    assert row["average_precision_50"] == pytest.approx(2 / 3)
    assert row["average_precision_75"] == pytest.approx(1 / 4)
    assert row["segments"] == 2


def test_what_lies_outside_of_the_labels_does_not_count(scores, labels):
    labels[:, :, 30:] = -1
    found = np.where(labels > 0, labels, 0)
    found[:, 20:30, 32:44] = 9
    assert scores.score(labels, found) == scores.score(labels, np.maximum(labels, 0))
    assert scores.score(labels, found)["average_precision_75"] == 1


def test_sizes_follow_the_voxels(scores):
    ours = list(scores.settings((30, 8, 8)))
    assert {(one.min_seed_voxels, one.min_size_voxels) for one in ours} == {(32, 128)}
    assert len(ours) == len(set(ours)) == 39
    assert all(one.seed_foreground >= one.foreground for one in ours)
    assert {one.min_size_voxels for one in scores.settings((5, 5, 5))} == {1966}


def test_a_good_prediction_is_told_from_its_controls(evaluate, labels):
    result, folder = evaluate(labels, predicted(labels))
    rows = result["scores"]
    assert set(rows) == {"watershed", "connected components", "all background", "true maps"}
    assert rows["watershed"]["foreground_iou"] > 0.95
    assert rows["watershed"]["average_precision_75"] == 1
    assert rows["true maps"]["average_precision_75"] == rows["true maps"]["foreground_iou"] == 1
    # Those that touch are one component.
    assert rows["connected components"]["average_precision_75"] < 0.5
    assert set(rows["all background"].values()) == {0.0}
    assert result["average_precision"]["foreground"] > 0.95
    assert result["targets"] == "boundary_contour"
    assert result["test"] == result["validation"]
    assert (folder / "run/overlay.png").read_bytes().startswith(b"\x89PNG")
    arrays = np.load(folder / "run/overlays.npz")
    assert {f"{name}_{plane}" for name in FOREGROUND_OVERLAYS for plane in PLANES} < set(arrays.files)


def test_a_prediction_without_foreground_scores_as_nothing(evaluate, labels):
    result, _ = evaluate(labels, np.full((2, *labels.shape), -9.0))
    assert result["scores"]["watershed"] == result["scores"]["all background"]
    # All voxels are equal: the share of the foreground.
    assert result["average_precision"]["foreground"] == pytest.approx((labels > 0).mean())


def test_what_was_chosen_lies_where_inference_finds_it(evaluate, labels):
    result, folder = evaluate(labels, predicted(labels))
    transform = BoundaryContourToLabels(checkpoint=str(folder / "model.pt"))
    assert vars(transform.options) == result["options"]
    kept = json.loads((folder / "segmentation.json").read_text())
    assert len(kept["curve"]) == 39
    with pytest.raises(InputError, match="options for the targets affinities, got those for boundary_contour"):
        AffinitiesToLabels([(0, 0, -1)], checkpoint=str(folder / "model.pt"))


def test_a_volume_without_an_object_is_refused(evaluate, labels):
    with pytest.raises(InputError, match=r"expected at least one object .*, got none in .*raw\.tif"):
        evaluate(np.zeros_like(labels), predicted(labels))


@pytest.mark.parametrize(("validation", "test", "missing"), [(0, 1, "val_data"), (1, 0, "test_data")])
def test_an_evaluation_without_validation_or_test_tissue_is_refused_before_anything_is_predicted(
    segmentation_scripts, tmp_path, validation, test, missing
):
    with pytest.raises(InputError, match=f"volumes in {missing}, .* must be a whole number of at least 1, got 0"):
        segmentation_scripts.MitochondriaScores(str(tmp_path / "run"), [], validation, test, str(tmp_path / "model.pt"))


def test_predictions_of_other_targets_are_refused(evaluate, labels):
    with pytest.raises(InputError, match="must have 2 channels, foreground and contour, got 12; name the overlay"):
        evaluate(labels, np.zeros((12, *labels.shape)))


def test_weights_that_a_training_replaces_meanwhile_are_not_scored(evaluate, scores, labels, tmp_path, monkeypatch):
    model, settings = tmp_path / "model.pt", scores.settings
    model.write_bytes(b"of epoch 3")

    def replaced(voxel_size_nm):
        with replacing(model) as partial:
            partial.write_bytes(b"of epoch 4")
        return list(settings(voxel_size_nm))[:1]

    monkeypatch.setattr(scores, "settings", replaced)
    with pytest.raises(InputError, match=r"model\.pt must not change while it is evaluated, got other"):
        evaluate(labels, predicted(labels))
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "segmentation.json").exists()


def test_a_model_of_other_targets_is_refused_before_anything_is_predicted(evaluate, labels, tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"out_channels": 12, "channels": None}))
    with pytest.raises(InputError, match="must have 2 channels, foreground and contour, got 12; name the overlay"):
        evaluate(labels, None)
    with pytest.raises(InputError, match=r"got .*model.pt, which was trained for affinities; in a bundle, name"):
        BoundaryContourToLabels(checkpoint=str(tmp_path / "model.pt"))


def test_an_evaluation_of_voxels_of_another_size_is_warned_of(evaluate, labels, tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"voxel_size_nm": [2 * edge for edge in SIZE_NM]}))
    with pytest.warns(
        UserWarning, match=r"raw.tif has voxels of .* nm along \(z, y, x\), but the model was trained on"
    ):
        evaluate(labels, predicted(labels))
