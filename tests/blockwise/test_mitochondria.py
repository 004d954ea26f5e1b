"""Mitochondria block by block: those of the whole volume id for id, as a user runs it, and what it refuses."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from blockwise.conftest import MITOCHONDRIA_OPTIONS, SIZE_NM, do_all, whole_mitochondria
from sectome.blockwise import plan_mitochondria
from sectome.blockwise.config import read_config
from sectome.map_file import StoredMaps
from sectome.postprocess import BoundaryContourOptions
from sectome.volumes import open_volume


@pytest.fixture
def plan_of(tmp_path):
    """Return a plan over 18 blocks of 32 x 64 x 64 voxels."""

    def make(source, **options):
        chosen = BoundaryContourOptions(**{**MITOCHONDRIA_OPTIONS, **options})
        return plan_mitochondria(
            source, tmp_path / "out.ome.zarr", tmp_path / "out.run", chosen, block_voxels=(32, 64, 64)
        )

    return make


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_seed_voxels": 0, "min_size_voxels": 0},
        {"min_size_voxels": 2000},
        {"foreground": 0.1, "seed_contour": 0.9},
        {"foreground": 0.98},
    ],
    ids=str,
)
def test_the_objects_of_blocks_are_those_of_the_whole_volume(plan_of, maps, options):
    plan = plan_of(maps, **options)
    do_all(plan, stop_after="relabel")
    expected = whole_mitochondria(maps, **options)
    assert expected.max() > 10
    np.testing.assert_array_equal(open_volume(plan.partial_output / "0")[...], expected)
    # Objects do lie in several blocks.
    crossing = {*np.unique(expected[31])} & {*np.unique(expected[32])}
    assert len(crossing) > 5


def test_a_distance_is_used(plan_of, predicted, tmp_path):
    np.save(tmp_path / "maps.npy", predicted)
    source = StoredMaps(tmp_path / "maps.npy", SIZE_NM)
    plan = plan_of(source)
    do_all(plan, stop_after="relabel")
    np.testing.assert_array_equal(open_volume(plan.partial_output / "0")[...], whole_mitochondria(source))


@pytest.mark.parametrize("value", [0, 1])
def test_no_foreground_and_nothing_else(plan_of, tmp_path, value):
    maps = np.zeros((2, 48, 130, 140), np.float32)
    maps[0] = value
    np.save(tmp_path / "maps.npy", maps)
    plan = plan_of(StoredMaps(tmp_path / "maps.npy", SIZE_NM))
    do_all(plan)
    assert np.unique(open_volume(plan.partial_output / "0")[...]).tolist() == [value]


def test_the_command_writes_a_pyramid_and_goes_on(run, maps, tmp_path):
    settings = {
        "maps": str(maps.path),
        "output": str(tmp_path / "out.ome.zarr"),
        "segmentation": MITOCHONDRIA_OPTIONS,
        "block_voxels": [32, 64, 64],
        "scheduler": "threads",
    }
    config = tmp_path / "run.json"
    config.write_text(json.dumps(settings))
    plan = read_config(config).plan()
    plan.partial_output.mkdir(parents=True)
    plan.folder.keep_plan(plan.description())
    do_all(plan, stop_after="bodies")
    before = (plan.folder.path / "log.csv").read_text()
    code, said, error = run("segment-volume", "--config", config)
    assert code == 0, error
    expected = whole_mitochondria(maps)
    assert f"{expected.max()} objects" in said
    labels = open_volume(tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(labels[...], expected)
    assert labels.voxel_size_nm == SIZE_NM
    assert len(labels.levels) == 3
    after = (plan.folder.path / "log.csv").read_text()
    assert after.startswith(before)
    assert "bodies" not in after[len(before) :]


def test_foreground_that_does_not_fit_into_memory_is_one_sentence(run, maps, tmp_path, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**10, total=2**34))
    config = tmp_path / "run.json"
    settings = {
        "maps": str(maps.path),
        "block_voxels": [32, 64, 64],
        "scheduler": "threads",
        "segmentation": MITOCHONDRIA_OPTIONS,
    }
    config.write_text(json.dumps({**settings, "output": str(tmp_path / "out.ome.zarr")}))
    code, _, error = run("segment-volume", "--config", config)
    assert code == 2
    assert "raise the threshold foreground, now 0.5" in error.replace("\n", " ")
    assert error.count("error:") == 1
    assert not (tmp_path / "out.ome.zarr").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"context_voxels": [8, 8, 8]},
            "context_voxels must be given for neurons only, got it with maps of mitochondria",
        ),
        ({"group_blocks": [2, 2, 2]}, "group_blocks must be given for neurons only"),
        ({"overlap": 0.25}, "overlap must be given with a volume only, got it with maps"),
        ({"affinities": "a.zarr"}, "one of volume, affinities and maps must be given, got affinities and maps"),
        ({"segmentation": {"threshold": 0.5}}, "unknown segmentation option 'threshold'"),
        ({"maps": "none.zarr"}, "expected a zarr folder of maps at none.zarr, got none"),
        ({"block_voxels": [32, 60, 64]}, "whole chunks of (32, 64, 64) voxels, got 60 along y"),
    ],
)
def test_what_can_not_be_used_is_one_sentence(run, maps, tmp_path, changes, message):
    config = tmp_path / "run.json"
    settings = {"maps": str(maps.path), "output": str(tmp_path / "out.ome.zarr"), "scheduler": "threads"}
    config.write_text(json.dumps({**settings, **changes}))
    code, _, error = run("segment-volume", "--config", config)
    assert code == 2
    assert message in error.replace("\n", " ")
    assert error.count("error:") == 1


def test_a_model_of_a_distance_is_refused_before_it_predicts(run, tmp_path, monkeypatch):
    names = ("foreground", "contour", "distance")
    (tmp_path / "model.pt").touch()
    source = SimpleNamespace(offsets=(), channels=names, checkpoint=tmp_path / "model.pt")
    monkeypatch.setattr("sectome.blockwise.config.predicted_maps", lambda *_, **__: source)
    config = tmp_path / "run.json"
    config.write_text(json.dumps({"volume": "tissue.zarr", "bundle": "b", "output": str(tmp_path / "out.ome.zarr")}))
    code, _, error = run("segment-volume", "--config", config)
    assert code == 2
    assert "model.pt must predict only foreground and contour for" in error.replace("\n", " ")
    assert "got foreground, contour, distance" in error.replace("\n", " ")


def test_affinities_are_no_maps(run, affinities, tmp_path):
    config = tmp_path / "run.json"
    config.write_text(json.dumps({"maps": str(affinities.path), "output": str(tmp_path / "out.ome.zarr")}))
    code, _, error = run("segment-volume", "--config", config)
    assert code == 2
    assert "must hold maps with channels and voxel_size_nm" in error
