"""Two processes train as one with the double batch, and evaluate as one; a run that lost a process goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tiny_networks import BUNDLES, TINY
from tracked_runs import mlflow_curves, tensorboard_events
from trained_runs import load, numbers

SHORT = {"epochs": 2, "epoch_length": 3, "val_interval": 1, "val_crops": 3, "batch_size": 2, "crop_size": [8, 32, 32]}
MULTI_GPU = ["train", "multi_gpu_train"]
EVALUATE = ["train", "evaluate"]
MULTI_GPU_EVALUATE = [*EVALUATE, "multi_gpu_evaluate"]


@pytest.fixture
def run_processes(tissue_folder):
    """Run a bundle by torchrun, two processes on this machine, into a folder; trains if nothing else is said."""

    def run(bundle, folder, configs=MULTI_GPU, **overrides):
        files = str([f"configs/{name}.json" for name in configs])
        options = {**SHORT, **TINY[bundle], "dataset_dir": tissue_folder, "output_dir": folder, "ckpt_dir": folder}
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
        command += ["-m", "monai.bundle", "run", "--config_file", files]
        for key, value in {**options, **overrides}.items():
            command += [f"--{key.replace('__', '#')}", str(value)]
        return subprocess.run(
            command,
            cwd=BUNDLES / bundle,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
                "PYTHONWARNINGS": "ignore",
                "CUDA_VISIBLE_DEVICES": "",
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bundle", "options"),
    [
        # Masks are drawn batch by batch, so that those of two halves are not those of the whole.
        ("mae_pretrain", {"network_def___target_": "fixed_mask.FixedMaskAutoencoder", "precision": "fp32"}),
        ("em_segmentation", {}),
        ("em_segmentation", {"encoder_lr_factor": 0}),
    ],
    ids=["pre-training", "segmentation", "frozen encoder"],
)
def test_two_processes_train_as_one_with_the_double_batch(
    run_bundle, run_processes, tissue_folder, tmp_path, monkeypatch, bundle, options
):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    two, one = tmp_path / "two", tmp_path / "one"
    done = run_processes(bundle, two, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("6 iterations in 2 processes, each on") == 1
    options = {**SHORT, **TINY[bundle], **options, "dataset_dir": tissue_folder, "batch_size": 4}
    done = run_bundle(bundle, "train", output_dir=one, ckpt_dir=one, **options)
    assert done.returncode == 0, done.stderr[-3000:]

    assert numbers(two, "loss") == pytest.approx(numbers(one, "loss"), rel=1e-5)
    # Classes are balanced within a batch of the validation, and these are others.
    equal = 1e-5 if bundle == "mae_pretrain" else 2e-2
    assert numbers(two, "val_loss") == pytest.approx(numbers(one, "val_loss"), rel=equal)
    assert list(load(two)["model"]) == list(load(one)["model"])
    halves, whole = (load(folder, "checkpoint.pt")["optimizer"]["state"] for folder in (two, one))
    assert len(halves) == len(whole) > 0
    for key, state in whole.items():
        # A mean of the gradients of all steps; weights would not do, for Adam takes rounding errors for gradients.
        largest = float(state["exp_avg"].abs().max())
        assert torch.allclose(halves[key]["exp_avg"], state["exp_avg"], rtol=0, atol=1e-2 * largest + 1e-6), key
    assert sorted(path.name for path in two.iterdir()) == sorted(path.name for path in one.iterdir())


@pytest.mark.slow
def test_a_killed_process_ends_the_run_with_a_message_and_the_same_command_goes_on_bit_for_bit(run_processes, tmp_path):
    # What a checkpoint must hold: masks drawn by each process, an average, a count of validations.
    options = {"ema_decay": 0.9, "accumulation_steps": 2, "patience": 9}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = run_processes("mae_pretrain", whole, **options)
    assert done.returncode == 0, done.stderr[-3000:]

    dying = [{"_target_": "ending.EndProcess", "iteration": 8, "process": 1}]
    done = run_processes("mae_pretrain", killed, **options, train__postprocessing__transforms=dying)
    assert done.returncode != 0
    assert "error: all 2 processes of a run must keep running, got one that ended" in done.stderr
    assert f"the same command continues from {killed / 'checkpoint.pt'}" in done.stderr

    done = run_processes("mae_pretrain", killed, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("resume from epoch 1") == 1
    for key, value in load(whole)["model"].items():
        assert torch.equal(value, load(killed)["model"][key]), key
    for name in ("loss", "val_loss"):
        assert numbers(whole, name) == numbers(killed, name)
    one, other = load(whole, "checkpoint.pt")["random"]
    assert not torch.equal(one["cpu"], other["cpu"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow uses of SQLAlchemy what the next one will not have
def test_of_two_processes_the_first_tells_what_the_history_has(run_processes, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    run = tmp_path / "run"
    done = run_processes("mae_pretrain", run, tracking="mlflow")
    assert done.returncode == 0, done.stderr[-3000:]
    client = mlflow.MlflowClient(f"sqlite:///{run}/mlruns.db")
    [experiment] = [one for one in client.search_experiments() if one.name == "monai_experiment"]
    [told] = client.search_runs([experiment.experiment_id])
    curves = mlflow_curves(client, told.info.run_id)
    assert {name: [value for _, value in points] for name, points in curves.items()} == {
        name: numbers(run, name) for name in ("loss", "val_loss", "learning_rate encoder", "learning_rate rest")
    }
    assert told.data.params["processes"] == "2"
    assert len(tensorboard_events(run).Images("reconstruction")) == 2


@pytest.mark.slow
def test_the_overlay_without_torchrun_says_what_to_write(run_bundle, tissue_folder, tmp_path):
    options = {**SHORT, **TINY["mae_pretrain"], "dataset_dir": tissue_folder, "output_dir": tmp_path / "run"}
    done = run_bundle("mae_pretrain", MULTI_GPU, ckpt_dir=tmp_path / "run", **options)
    assert done.returncode == 2
    assert "must be started as several processes, got one; write torchrun --nproc_per_node=N" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_fewer_validation_crops_than_processes_are_refused(run_processes, tmp_path):
    done = run_processes("em_segmentation", tmp_path / "run", val_crops=1)
    assert done.returncode != 0
    assert (
        "error: the number of validation crops (one per process) must be a number of at least 2, got 1" in done.stderr
    )
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def three_volumes(tmp_path_factory):
    """Two volumes that choose thresholds and one that is scored, each of another size: one process gets two of them."""
    from sectome.phantom import make_phantom
    from sectome.volumes import write_volume

    folder = tmp_path_factory.mktemp("volumes")
    for seed, name in enumerate(("unlabelled/{}/a", "train/{}/a", "validation/{}/a", "validation/{}/b", "test/{}/a")):
        phantom = make_phantom((8, 32 + 8 * seed, 48), (30, 6, 6), seed)
        for kind, voxels in (("images", phantom.raw), ("labels", phantom.neurons)):
            write_volume(folder / f"{name.format(kind)}.tif", voxels, voxel_size_nm=(30, 6, 6))
    return folder


def rounded(content):
    """Return JSON with its numbers to five digits."""
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [rounded(value) for value in content]
    return float(f"{content:.5g}") if isinstance(content, float) else content


@pytest.mark.slow
@pytest.mark.parametrize("bundle", [*TINY])
def test_two_processes_evaluate_as_one(run_bundle, run_processes, three_volumes, tmp_path, monkeypatch, bundle):
    # Half-precision numbers round by how many threads share a sum.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # Five crops in three batches: the last one is not full.
    options = {**SHORT, **TINY[bundle], "dataset_dir": three_volumes, "epochs": 1, "val_crops": 5, "ckpt_dir": tmp_path}
    done = run_bundle(bundle, "train", output_dir=tmp_path / "train", **options)
    assert done.returncode == 0, done.stderr[-3000:]
    for folder, run, configs in (("one", run_bundle, EVALUATE), ("two", run_processes, MULTI_GPU_EVALUATE)):
        where = {"output_dir": tmp_path / folder}
        if run is run_bundle:
            done = run(bundle, configs, **options, **where)
        else:
            done = run(bundle, tmp_path / folder, configs, **options)
        assert done.returncode == 0, done.stderr[-3000:]
        if bundle == "em_segmentation":
            (tmp_path / "segmentation.json").rename(tmp_path / folder / "segmentation.json")
    one, two = tmp_path / "one", tmp_path / "two"
    assert sorted(path.name for path in two.iterdir()) == sorted(path.name for path in one.iterdir())
    # The batches are the same, and so are the random numbers of each; sums round as the memory lies.
    for path in one.glob("*.json"):
        assert rounded(json.loads((two / path.name).read_text())) == rounded(json.loads(path.read_text())), path.name
    for path in one.glob("*.npz"):
        with np.load(path) as pictures, np.load(two / path.name) as others:
            for name in pictures.files:
                np.testing.assert_allclose(pictures[name], others[name], atol=1e-5, err_msg=f"{path.name} {name}")
    if bundle == "em_segmentation":
        scores = json.loads((one / "scores.json").read_text())
        assert (len(scores["validation"]), len(scores["test"])) == (2, 1)
    else:
        assert json.loads((one / "evaluation.json").read_text())["crops"] == 5


@pytest.mark.slow
def test_fewer_volumes_than_processes_are_refused(run_bundle, run_processes, tissue_folder, tmp_path):
    options = {**SHORT, **TINY["em_segmentation"], "dataset_dir": tissue_folder, "epochs": 1, "ckpt_dir": tmp_path}
    done = run_bundle("em_segmentation", "train", output_dir=tmp_path / "train", **options)
    assert done.returncode == 0, done.stderr[-3000:]
    whole = {"val_data": "$@test_data"}
    done = run_processes("em_segmentation", tmp_path / "run", MULTI_GPU_EVALUATE, **options, **whole)
    assert done.returncode != 0
    assert "(of volumes or crops; one per process) must be a number of at least 2, got 1" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_overlay_of_the_evaluation_without_torchrun_says_what_to_write(run_bundle, tissue_folder, tmp_path):
    options = {**SHORT, **TINY["mae_pretrain"], "dataset_dir": tissue_folder, "output_dir": tmp_path / "run"}
    done = run_bundle("mae_pretrain", MULTI_GPU_EVALUATE, ckpt_dir=tmp_path, **options)
    assert done.returncode == 2
    assert "configs/multi_gpu_evaluate.json must be started as several processes, got one" in done.stderr
