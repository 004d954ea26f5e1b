"""Real tissue, where SECTOME_DATA names its folder: the pipeline's own cost, and both bundles on FIB-25."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from sectome.affinities import labels_to_affinities
from sectome.metrics import adapted_rand_error, scores_by_threshold, variation_of_information
from sectome.neighbourhoods import NEAREST
from sectome.postprocess import affinities_to_history, affinities_to_labels
from sectome.volumes import open_volume
from tiny_networks import TINY

DATA = Path(os.environ.get("SECTOME_DATA", ""))

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not (DATA / "fib25_medulla").is_dir(), reason="SECTOME_DATA names no folder with fib25_medulla"),
]


def test_true_affinities_of_real_neurons_score_almost_0():
    labels = np.asarray(open_volume(DATA / "snemi_mini/train.npz:labels", voxel_size_nm=(30, 6, 6)))
    affinities, _ = labels_to_affinities(labels, NEAREST)
    segments = affinities_to_labels(affinities.astype(np.float32), NEAREST, voxel_size_nm=(30, 6, 6))
    assert adapted_rand_error(labels, segments) < 0.001
    assert sum(variation_of_information(labels, segments)) < 0.01


def test_a_real_prediction_is_segmented_better_than_by_one_segment_or_none():
    folder = DATA / "snemi_mini/train.npz"
    labels = np.asarray(open_volume(f"{folder}:labels", voxel_size_nm=(30, 6, 6)))
    membrane = np.asarray(open_volume(f"{folder}:membrane_probability_u8", voxel_size_nm=(30, 6, 6))) / np.float32(255)
    affinities = np.stack(
        [1 - np.maximum(membrane, np.roll(membrane, 1, axis=axis)).astype(np.float32) for axis in range(3)]
    )
    fragments, history = affinities_to_history(affinities, NEAREST, voxel_size_nm=(30, 6, 6))
    best = min(scores_by_threshold(labels, fragments, history, np.arange(0.3, 0.9, 0.02)), key=lambda row: row.voi)
    one = sum(variation_of_information(labels, np.ones_like(labels)))
    assert best.voi < 0.5 * one
    assert best.are < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("bundle", sorted(TINY))
def test_a_bundle_trains_on_real_tissue_by_its_overlay(run_bundle, tmp_path, bundle):
    options = {"epochs": 1, "epoch_length": 2, "val_crops": 1, "batch_size": 1, **TINY[bundle]}
    done = run_bundle(
        bundle, ["train", "datasets/fib25_medulla"], output_dir=tmp_path, ckpt_dir=tmp_path, val_interval=1, **options
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "model.pt").is_file()
