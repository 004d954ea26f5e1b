"""The weights that come with the bundles: small, plain tensors, and inference needs nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from sectome.encoder import Encoder, load_encoder
from sectome.metrics import variation_of_information
from sectome.phantom import make_phantom
from sectome.trained_settings import TrainedSettings
from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES

MODELS = {name: BUNDLES / name / "models/model.pt" for name in ("mae_pretrain", "em_segmentation")}


def test_they_are_below_30_megabytes_together_and_plain_tensors():
    assert sum(path.stat().st_size for path in MODELS.values()) < 30e6
    for path in MODELS.values():
        content = torch.load(path, weights_only=True)
        assert all(isinstance(value, torch.Tensor) for value in content["model"].values())


def test_the_encoder_of_the_one_starts_the_other():
    settings = [TrainedSettings(path) for path in MODELS.values()]
    for name in ("patch_size", "crop_size", "hidden_size", "depth", "num_heads"):
        assert settings[0][name] == settings[1][name]
    one = settings[1]
    encoder = Encoder(one["patch_size"], 1, one["hidden_size"], one["depth"], one["num_heads"])
    load_encoder(encoder, MODELS["mae_pretrain"])


def test_no_folder_of_a_machine_stands_in_what_is_shipped():
    for path in MODELS.values():
        for file in path.parent.glob("*.json"):
            assert '"/' not in file.read_text(encoding="utf-8"), file


@pytest.mark.slow
def test_inference_from_a_bare_clone_needs_a_volume_only(run_bundle, tmp_path):
    write_volume(tmp_path / "cube.tif", make_phantom((24, 56, 56), (8, 8, 8), 0).raw, voxel_size_nm=(8, 8, 8))
    done = run_bundle("em_segmentation", "inference", image=tmp_path / "cube.tif", output_dir=tmp_path, overlap=0)
    assert done.returncode == 0, done.stderr[-3000:]
    labels = open_volume(tmp_path / "cube_labels.tif")
    assert (labels.shape, labels.voxel_size_nm) == ((24, 56, 56), (8, 8, 8))


@pytest.mark.slow
def test_they_segment_real_tissue_that_they_did_not_see(run_bundle, tmp_path):
    if "SECTOME_DATA" not in os.environ:
        pytest.skip("needs SECTOME_DATA, a folder with fib25_medulla")
    folder = Path(os.environ["SECTOME_DATA"]) / "fib25_medulla"
    box = np.s_[120:168, 0:96, 0:96]
    raw = open_volume(folder / "labelled_raw.tif", voxel_size_nm=(8, 8, 8))[box]
    truth = open_volume(f"{folder / 'labelled_labels.npz'}:labels", voxel_size_nm=(8, 8, 8))[box]
    write_volume(tmp_path / "tissue.tif", raw, voxel_size_nm=(8, 8, 8))
    done = run_bundle("em_segmentation", "inference", image=tmp_path / "tissue.tif", output_dir=tmp_path, overlap=0)
    assert done.returncode == 0, done.stderr[-3000:]
    labels = np.asarray(open_volume(tmp_path / "tissue_labels.tif"))
    one_segment = sum(variation_of_information(truth, np.ones_like(truth)))
    assert sum(variation_of_information(truth, labels)) < 0.6 * one_segment
