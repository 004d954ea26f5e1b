"""Each bundle as the model zoo tests its own: train, evaluate and infer from Python on tiny random data.

From a working directory that is not the bundle's, and in a process for each run: both bundles own a package `scripts`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES, TINY

SHAPE = (16, 32, 32)
SHORT = {"epochs": 1, "epoch_length": 2, "val_interval": 1, "val_crops": 2, "batch_size": 2, "crop_size": [8, 32, 32]}


@pytest.fixture(scope="module")
def random_folder(tmp_path_factory):
    """Random grey values, and labels that are random boxes, in the layout that the configs expect."""
    folder = tmp_path_factory.mktemp("random")
    random = np.random.default_rng(0)
    for name in ("unlabelled", "train", "validation", "test"):
        boxes = random.integers(0, 6, (2, 4, 4)).astype(np.uint16)
        labels = np.kron(boxes, np.ones((8, 8, 8), np.uint16))
        raw = random.integers(0, 256, SHAPE).astype(np.uint8)
        write_volume(folder / name / "images/cube.tif", raw, voxel_size_nm=(30, 6, 6))
        write_volume(folder / name / "labels/cube.tif", labels, voxel_size_nm=(30, 6, 6))
    return folder


@pytest.fixture(scope="module")
def workflow(run_module, random_folder, tmp_path_factory):
    """Run a workflow of a bundle; return what `zoo_workflow` says of it."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def run(bundle, configs, workflow_type="train", maker="create_workflow", run=True, **overrides):
        root = BUNDLES / bundle
        request = {
            "maker": maker,
            "config_file": [str(root / f"configs/{name}.json") for name in configs],
            "workflow_type": workflow_type,
            "overrides": {"dataset_dir": str(random_folder), **overrides},
            "run": run,
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
            done = run_module("zoo_workflow", json.dumps(request), cwd=elsewhere)
        assert done.returncode == 0, done.stderr[-3000:]
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        assert list(elsewhere.iterdir()) == []
        return json.loads(line.removeprefix("RESULT "))

    return run


@pytest.fixture(scope="module", params=[*TINY])
def trained(request, workflow, tmp_path_factory):
    """A bundle, the folder of its training, and what the training's workflow offered."""
    bundle, run = request.param, tmp_path_factory.mktemp("run")
    offered = workflow(bundle, ["train"], output_dir=str(run), ckpt_dir=str(run), **SHORT, **TINY[bundle])
    return bundle, run, offered


@pytest.mark.slow
def test_training(trained):
    _, run, offered = trained
    assert offered == {"missing": [], "absent": []}
    assert {"model.pt", "model.json", "checkpoint.pt", "history.csv"} <= {path.name for path in run.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("maker", ["create_workflow", "ConfigWorkflow"])
def test_evaluation(workflow, trained, tmp_path, maker):
    bundle, run, _ = trained
    folders = {"output_dir": str(tmp_path), "ckpt_dir": str(run), "bundle_root": str(BUNDLES / bundle)}
    options = {**SHORT, **TINY[bundle], **folders}
    assert workflow(bundle, ["train", "evaluate"], maker=maker, **options) == {"missing": [], "absent": []}
    scores = {"mae_pretrain": "evaluation.json", "em_segmentation": "scores.json"}[bundle]
    assert json.loads((tmp_path / scores).read_text())


@pytest.mark.slow
@pytest.mark.parametrize("maker", ["create_workflow", "ConfigWorkflow"])
def test_inference(workflow, trained, random_folder, tmp_path, maker):
    bundle, run, _ = trained
    image = str(random_folder / "test/images/cube.tif")
    options = {"checkpoint": str(run / "model.pt"), "output_dir": str(tmp_path), "image": image}
    offered = workflow(bundle, ["inference"], "inference", maker, bundle_root=str(BUNDLES / bundle), **options)
    # Nothing is scored where there is no truth.
    assert offered == {"missing": [], "absent": ["key_metric"]}
    result = {"mae_pretrain": "cube_reconstruction.tif", "em_segmentation": "cube_labels.tif"}[bundle]
    assert open_volume(tmp_path / result).shape == SHAPE


@pytest.mark.parametrize("bundle", [*TINY])
def test_inference_finds_the_shipped_weights_from_any_folder(workflow, random_folder, bundle):
    overrides = {"image": str(random_folder / "test/images/cube.tif")}
    assert workflow(bundle, ["inference"], "inference", run=False, **overrides)["missing"] == []
