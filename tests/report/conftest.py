"""Run folders as training and evaluation leave them, small and made up."""

import csv
import json
from functools import partial

import numpy as np
import pytest

from sectome.report import write_report

VERSIONS = {"sectome": "0.1.0", "torch": "2.13.0", "monai": "1.6.1"}


@pytest.fixture
def make_arm(tmp_path):
    """Return a function that writes the folder of a fine-tuned arm, evaluated or not."""
    return partial(write_arm, tmp_path)


@pytest.fixture
def make_pretraining(tmp_path):
    """Return a function that writes the folder of a pre-training run, evaluated or not."""
    return partial(write_pretraining, tmp_path)


@pytest.fixture(scope="session")
def full_report(tmp_path_factory):
    """Return the text of a page of a pre-training and two arms, all evaluated."""
    root = tmp_path_factory.mktemp("runs")
    tuned = write_arm(root, "tuned", "/models/model.pt", voi_split=0.5)
    runs = [write_pretraining(root), tuned, write_arm(root, "plain", voi_split=0.75)]
    return write_report(runs, root / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def tissue():
    """Return overlays of a small volume of 30 x 8 x 8 nm voxels."""
    return overlays()


@pytest.fixture
def crops():
    """Return what a masked autoencoder saw and made, two crops of 30 x 8 x 8 nm voxels."""
    return reconstructions()


def write_arm(root, name, pretrained="", voi_split=0.6, voi_merge=0.3, are=0.1, evaluated=True, **settings):
    folder = root / name
    folder.mkdir(parents=True)
    settings = {"lr": 0.001, "seed": 0, "pretrained": pretrained, **settings}
    write_json(
        folder / "run.json",
        {"bundle": "em_segmentation", "settings": settings, "parameters": 48100, "versions": VERSIONS},
    )
    write_history(folder, ["learning_rate encoder", "learning_rate rest"])
    if evaluated:
        write_json(folder / "scores.json", scores(are, voi_split, voi_merge))
        np.savez(folder / "overlays.npz", **overlays())
    return folder


def write_pretraining(root, name="pretrain", masked_loss=0.4, evaluated=True):
    folder = root / name
    folder.mkdir(parents=True)
    settings = {"lr": 0.001, "seed": 0, "mask_ratio": 0.75}
    write_json(
        folder / "run.json",
        {"bundle": "mae_pretrain", "settings": settings, "parameters": 34100, "versions": VERSIONS},
    )
    write_history(folder, ["learning_rate"])
    if evaluated:
        write_json(
            folder / "evaluation.json",
            {"masked_loss": masked_loss, "masked_loss_of_mean": 0.8, "mask_ratio": 0.75, "crops": 7},
        )
        np.savez(folder / "reconstructions.npz", **reconstructions())
    return folder


def write_json(path, content):
    path.write_text(json.dumps(content))


def write_history(folder, rates):
    rows = [("iteration", "seconds", "name", "value")]
    for iteration in range(10, 101, 10):
        rows += [(iteration, iteration * 1.5, "loss", 1 / iteration)]
        rows += [(iteration, iteration * 1.5, rate, 0.001) for rate in rates]
        if iteration % 50 == 0:
            rows.append((iteration, iteration * 1.5, "val_loss", 1.23 / iteration))
    with (folder / "history.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def scores(are, voi_split, voi_merge):
    def score(factor, segments):
        measures = {"are": are * factor, "voi_split": voi_split * factor, "voi_merge": voi_merge * factor}
        return {**measures, "segments": segments}

    return {
        "threshold": 0.5,
        "validation": ["near"],
        "test": ["far"],
        "sweep": [
            {"threshold": threshold, "are": are, "voi_split": 1 - threshold, "voi_merge": threshold}
            for threshold in (0.9, 0.1, 0.5)
        ],
        "scores": {
            "mean agglomeration": score(1, 1234),
            # Better than any prediction, so that a bold control would show.
            "connected components": score(0.5, 345),
            "one segment": {"are": 0.8, "voi_split": 0.0, "voi_merge": 3.69, "segments": 1},
            "true affinities": {"are": 0.01, "voi_split": 0.02, "voi_merge": 0.03, "segments": 99},
        },
        "boundary_average_precision": {"(-1, 0, 0)": 0.71, "(0, -9, 0)": 0.82},
    }


def overlays():
    rng = np.random.default_rng(0)
    arrays = {"voxel_size_nm": np.array([30.0, 8.0, 8.0])}
    for plane, rows in (("xy", 48), ("xz", 12)):
        truth = np.arange(rows)[:, None] // 6 * 10 + np.arange(64)[None] // 16 + 1
        truth[:2] = 0
        arrays[f"raw_{plane}"] = rng.integers(0, 255, truth.shape).astype(np.uint8)
        arrays[f"affinity_{plane}"] = rng.random(truth.shape).astype(np.float32)
        arrays[f"segmentation_{plane}"] = (truth + 500).astype(np.uint32)
        arrays[f"truth_{plane}"] = truth.astype(np.uint64)
    return arrays


def reconstructions():
    rng = np.random.default_rng(0)
    image = rng.standard_normal((2, 8, 32, 32)).astype(np.float32)
    hidden = rng.random((2, 2, 4, 4)) < 0.75
    hidden = hidden.repeat(4, axis=1).repeat(8, axis=2).repeat(8, axis=3)
    return {
        "image": image,
        "masked": np.where(hidden, 0, image),
        "reconstructed": image * 0.5,
        "hidden": hidden,
        "voxel_size_nm": np.array([30.0, 8.0, 8.0]),
    }
