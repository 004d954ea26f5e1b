"""What a run is said to take is what it takes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from blockwise.cluster_processes import ENVIRONMENT
from sectome.affinity_file import StoredAffinities
from sectome.blockwise import plan_mitochondria, plan_neurons
from sectome.blockwise.forecast import forecast_of, peak_mib, predicted_voxels, seconds
from sectome.blockwise.predicted_maps import PredictedMaps, predicted_maps
from sectome.map_file import StoredMaps
from sectome.volumes import write_volume
from tiny_networks import BUNDLES

DO_A_BLOCK = """
import sys
from sectome.affinity_file import StoredAffinities
from sectome.blockwise import plan_mitochondria, plan_neurons
from sectome.run_folder import peak_mib
from sectome.blockwise.stages import do_block, stages_of
from sectome.map_file import StoredMaps

if sys.argv[3] == "neurons":
    source, make = StoredAffinities(sys.argv[1], "nearest", (8, 8, 8)), plan_neurons
else:
    source, make = StoredMaps(sys.argv[1], (8, 8, 8)), plan_mitochondria
plan = make(source, sys.argv[2] + "/out.ome.zarr", sys.argv[2] + "/run", block_voxels=(96, 256, 256))
stage = stages_of(plan)[0]
stage.prepare(plan)
do_block(plan, stage, 0)
print(peak_mib())
"""


def peak_of_a_block(maps, folder, kind):
    """Return the memory that a process takes for the first stage of a run on one block (96, 256, 256)."""
    np.save(folder / "large.npy", maps)
    # What is compiled for the first time takes memory of its own.
    command = [sys.executable, "-c", DO_A_BLOCK, str(folder / "large.npy")]
    for name in ("first", "second"):
        done = subprocess.run(
            [*command, str(folder / name), kind], env=ENVIRONMENT, capture_output=True, text=True, check=True
        )
    return float(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in KiB")
def test_the_peak_is_within_a_fifth_of_the_forecast(affinities, tmp_path):
    part = affinities.read([slice(0, 48), slice(0, 128), slice(0, 128)], [0, 1, 2])
    peak = peak_of_a_block(np.tile(part, (1, 2, 2, 2)), tmp_path, "neurons")
    source = StoredAffinities(tmp_path / "large.npy", "nearest", (8, 8, 8))
    plan = plan_neurons(source, tmp_path / "out.ome.zarr", tmp_path / "run", block_voxels=(96, 256, 256))
    assert peak == pytest.approx(peak_mib(plan), rel=0.2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in KiB")
def test_the_peak_of_mitochondria_is_within_a_fifth_of_the_forecast(tissue, tmp_path):
    # A tenth of the voxels are mitochondria.
    foreground = np.where(tissue[:, :128, :128] % 10 == 1, 255, 0)
    maps = np.stack([foreground, np.zeros_like(foreground)]).astype(np.uint8)
    peak = peak_of_a_block(np.tile(maps, (1, 2, 2, 2)), tmp_path, "mitochondria")
    plan = plan_mitochondria(
        StoredMaps(tmp_path / "large.npy", (8, 8, 8)),
        tmp_path / "out.ome.zarr",
        tmp_path / "run",
        block_voxels=(96, 256, 256),
    )
    assert peak == pytest.approx(peak_mib(plan), rel=0.2)


def test_a_forecast_grows_with_what_is_to_be_done(affinities, tmp_path):
    small, large = (
        plan_neurons(
            affinities, tmp_path / "a.ome.zarr", tmp_path / "a", block_voxels=block, context_voxels=(8, 16, 16)
        )
        for block in ((32, 64, 64), (64, 128, 128))
    )
    assert peak_mib(small) < peak_mib(large)
    assert "18 blocks of 32x64x64 with a context of 8x16x16" in forecast_of(small)
    assert "fragments 18" in forecast_of(small)


def test_a_forecast_of_a_prediction_grows_with_its_orientations(affinities, tmp_path):
    plan = plan_neurons(affinities, tmp_path / "a.ome.zarr", tmp_path / "a", block_voxels=(32, 64, 64))
    shape, box = affinities.shape, tuple((0, extent) for extent in affinities.shape)
    one, isotropic = (
        PredictedMaps(
            Path("a.zarr"), "raw.zarr", Path("bundle"), Path("model.pt"), (8, 8, 8), box, shape, affinities.offsets,
            (0, 0, 0), (48, 48, 48), orientations=orientations,
        )
        for orientations in ("one", "isotropic")
    )  # fmt: skip
    times = [seconds(replace(plan, source=source)) for source in (one, isotropic)]
    assert 40 < times[1] / times[0] < 48


@pytest.mark.usefixtures("forget_scripts")
def test_a_forecast_counts_the_windows_that_blocks_predict(tmp_path, monkeypatch):
    windows = []

    def infer(batch, network):
        windows.extend(batch)
        return batch.expand(-1, 9, -1, -1, -1)

    monkeypatch.setattr("sectome.inference.trained_model.AutocastInferer", lambda *_: infer)
    write_volume(tmp_path / "raw.tif", np.zeros((40, 100, 150), np.uint8), voxel_size_nm=(8, 8, 8))
    source = predicted_maps(
        tmp_path, str(tmp_path / "raw.tif"), BUNDLES / "em_segmentation", window=[24, 16, 24], overlap=0.5, device="cpu"
    )
    block = (32, 64, 64)
    source.prepare(block)
    for first in product(*map(range, (0, 0, 0), source.shape, block)):
        source.predict(
            tuple(slice(at, min(at + size, end)) for at, size, end in zip(first, block, source.shape, strict=True))
        )
    assert predicted_voxels(source, block) == len(windows) * 24 * 16 * 24
    assert predicted_voxels(replace(source, orientations="flips"), block) == 8 * predicted_voxels(source, block)
