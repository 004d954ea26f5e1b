"""A block is one file of each array, which holds what the whole volume's segmentation says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from blockwise.conftest import do_all
from blockwise.test_whole_equals_blockwise import whole
from sectome.affinity_file import StoredAffinities
from sectome.blockwise.predicted_maps import PredictedMaps
from sectome.volumes import open_volume
from sectome.volumes.shards import write_box
from sectome.volumes.tensorstore_process import open_zarr


def files(path):
    return sum(file.is_file() for file in (path / "c").rglob("*"))


@pytest.mark.parametrize(
    ("block", "files_of_levels"), [((32, 64, 128), [12, 18, 4]), ((64, 128, 128), [4, 12, 2])], ids=str
)
def test_a_block_is_one_file_of_each_array(plan_of, affinities, monkeypatch, block, files_of_levels):
    # So that the blocks of coarser levels have more than one.
    for name in ("blockwise.plan.LABEL_CHUNK", "volumes.zarr_writer.CHUNK"):
        monkeypatch.setattr(f"sectome.{name}", (16, 32, 32))
    plan = plan_of(block_voxels=block)
    do_all(plan)
    assert files(plan.blocks_path) == len(plan.grid) == files_of_levels[0]
    assert [files(plan.partial_output / str(level)) for level in range(3)] == files_of_levels
    assert [len(plan.level_grid(level)) for level in (1, 2)] == files_of_levels[1:]
    np.testing.assert_array_equal(open_volume(plan.partial_output / "0")[...], whole(affinities))
    zarr = pytest.importorskip("zarr", reason="the zarr package is a development dependency on Python 3.11 and newer")
    for level in range(3):
        path = plan.partial_output / str(level)
        np.testing.assert_array_equal(zarr.open_array(path, mode="r")[...], open_volume(path)[...])


def test_blocks_that_are_done_again_change_nothing(plan_of):
    plan = plan_of(block_voxels=(32, 128, 64))
    do_all(plan)
    before = {path: path.read_bytes() for path in plan.partial_output.rglob("*") if path.is_file()}
    shutil.rmtree(plan.folder.path / "done")
    do_all(plan)
    assert before == {path: path.read_bytes() for path in plan.partial_output.rglob("*") if path.is_file()}


def test_a_block_of_predicted_affinities_is_one_file_of_all_channels(plan_of, affinities, tmp_path):
    box = tuple((0, extent) for extent in affinities.shape)
    source = PredictedMaps(
        tmp_path / "predicted.zarr", "raw.zarr", Path("bundle"), Path("model.pt"), (8, 8, 8), box, affinities.shape,
        affinities.offsets, (0, 0, 0), (48, 48, 48),
    )  # fmt: skip
    grid = plan_of(block_voxels=(32, 64, 128)).grid
    source.prepare(grid.block)
    for number in range(len(grid)):
        core = grid.core(number)
        write_box(open_zarr(source.path, write=True), (slice(None), *core), affinities.read(core))
    assert files(source.path) == len(grid) == 12
    everything = tuple(slice(0, extent) for extent in affinities.shape)
    np.testing.assert_array_equal(StoredAffinities(source.path).read(everything), affinities.read(everything))
