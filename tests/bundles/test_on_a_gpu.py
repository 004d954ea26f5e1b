"""On a GPU: crops from its memory, augmentation there, a recorded network, a resumed run, inference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tiny_networks import BUNDLES, TINY
from trained_runs import numbers

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]

SHORT = {"epochs": 2, "epoch_length": 4, "val_interval": 1, "val_crops": 2, "batch_size": 2, "crop_size": [8, 32, 32]}


def run_bundle(bundle: str, files: list[str], options: dict[str, object]) -> None:
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files)]
    command += [word for key, value in options.items() for word in (f"--{key}", str(value))]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command, cwd=BUNDLES / bundle, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def train(bundle: str, tissue: Path, folder: Path, overlay: Path | None = None, **overrides: object) -> None:
    options = {**SHORT, **TINY[bundle], "dataset_dir": tissue, "output_dir": folder, "ckpt_dir": folder, **overrides}
    run_bundle(bundle, ["configs/train.json"] if overlay is None else ["configs/train.json", str(overlay)], options)


@pytest.mark.parametrize("bundle", ["mae_pretrain", "em_segmentation"])
def test_crops_of_its_memory_train_as_those_of_workers(bundle, tissue_folder, tmp_path):
    train(bundle, tissue_folder, tmp_path / "workers", num_workers=2, augment_on_device=False)
    train(bundle, tissue_folder, tmp_path / "streamed", num_workers=2)
    train(bundle, tissue_folder, tmp_path / "resident", resident=True)
    for name in ("loss", "val_loss"):
        expected = numbers(tmp_path / "workers", name)
        for way in ("streamed", "resident"):
            assert numbers(tmp_path / way, name) == pytest.approx(expected, rel=0.02)
    train(bundle, tissue_folder, tmp_path / "resident", resident=True, epochs=3)
    assert len(numbers(tmp_path / "resident", "loss")) == 3


@pytest.mark.parametrize("bundle", ["mae_pretrain", "em_segmentation"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_recorded_network_trains_as_a_plain_one(compiled, bundle, tissue_folder, tmp_path):
    train(bundle, tissue_folder, tmp_path / "plain", resident=True, ema_decay=0.9)
    train(bundle, tissue_folder, tmp_path / "recorded", resident=True, ema_decay=0.9, cuda_graph=True, compile=compiled)
    # A compiled autoencoder draws its masks by other random numbers.
    close = 0.3 if bundle == "mae_pretrain" and compiled else 0.02
    for number in ("loss", "val_loss"):
        assert numbers(tmp_path / "recorded", number) == pytest.approx(numbers(tmp_path / "plain", number), rel=close)
    plain, other = (torch.load(tmp_path / name / "model.pt", weights_only=True) for name in ("plain", "recorded"))
    assert plain["model"].keys() == other["model"].keys()


@pytest.mark.parametrize("bundle", ["mae_pretrain", "em_segmentation"])
@pytest.mark.parametrize("recorded", [False, True])
def test_an_iteration_never_waits_for_the_gpu(recorded, bundle, tissue_folder, tmp_path):
    on = "@train#trainer.add_event_handler(monai.engines.workflow.Events"
    network = "@network, (@batch_size, 1, *@crop_size), @device, @precision"
    watched = {
        # What shows the progress looks at the loss.
        "train#handlers#1#interval_seconds": 600.0,
        "run": [
            "$@average",
            f"$training.record_network({network}) if @cuda_graph else None",
            # From the third batch on, which is counted when it is there.
            f"${on}.GET_BATCH_STARTED(once=2), lambda: torch.cuda.set_sync_debug_mode('error'))",
            f"${on}.ITERATION_COMPLETED(once=3), lambda: torch.cuda.set_sync_debug_mode('default'))",
            "$@train#trainer.run()",
        ],
    }
    overlay = tmp_path / "watched.json"
    overlay.write_text(json.dumps(watched))
    on_device = {"resident": True, "cuda_graph": recorded}
    train(bundle, tissue_folder, tmp_path, overlay, ema_decay=0.9, **on_device)
    assert len(numbers(tmp_path, "loss")) == 2


@pytest.mark.parametrize(
    ("bundle", "options", "written"),
    [
        ("mae_pretrain", {"mode": "reconstruct"}, "reconstruction.tif"),
        ("mae_pretrain", {"mode": "encode"}, "features.h5"),
        ("em_segmentation", {"save_affinities": True, "orientations": "flips"}, "labels.tif"),
        ("em_segmentation", {"compile": True}, "labels.tif"),
    ],
)
def test_inference_of_the_shipped_weights(bundle, options, written, tissue_folder, tmp_path):
    image = next((tissue_folder / "validation/images").iterdir())
    run_bundle(bundle, ["configs/inference.json"], {"image": image, "output_dir": tmp_path, **options})
    assert list(tmp_path.glob(f"*{written}"))
