from __future__ import annotations

import json

import numpy as np
import pytest

from sectome.volumes import blocks, describe_volume, open_volume, write_volume


def test_a_description_is_json_and_says_what_is_in_the_sampled_sections(tmp_path):
    array = np.random.default_rng(0).integers(10, 200, (9, 20, 30), dtype=np.uint8)
    write_volume(tmp_path / "a.tif", array, voxel_size_nm=(30, 6, 8), offset_nm=(300, 0, 0))
    description = describe_volume(open_volume(tmp_path / "a.tif"))
    assert json.loads(json.dumps(description)) == description
    sampled = array[[0, 2, 4, 6, 8]]
    assert description == {
        "name": str(tmp_path / "a.tif"),
        "shape": [9, 20, 30],
        "dtype": "uint8",
        "voxel_size_nm": [30, 6, 8],
        "extent_um": [0.27, 0.12, 0.24],
        "offset_nm": [300, 0, 0],
        "levels": [],
        "memory_bytes": 5400,
        "sampled_sections": [0, 2, 4, 6, 8],
        "min": sampled.min(),
        "max": sampled.max(),
        "mean": pytest.approx(sampled.mean()),
        "not_finite": None,
        "ids": None,
    }


def test_ids_of_labels_are_counted_without_background(tmp_path):
    labels = np.zeros((2, 20, 30), np.uint32)
    labels[0, 2:18, 2:14], labels[0, 2:18, 15:28], labels[1, 2:18, 2:14] = 70000, 5, 9
    write_volume(tmp_path / "a.npz", labels)
    description = describe_volume(open_volume(tmp_path / "a.npz"))
    assert (description["ids"], description["voxel_size_nm"], description["extent_um"]) == (3, None, None)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "bool"])
def test_constant_volumes_are_described(tmp_path, dtype):
    write_volume(tmp_path / "a.h5", np.zeros((2, 3, 1), dtype))
    description = describe_volume(open_volume(tmp_path / "a.h5"))
    assert (description["min"], description["max"], description["mean"]) == (0, 0, 0)
    assert description["ids"] == (0 if dtype == "uint8" else None)


@pytest.mark.parametrize(("dtype", "unknown"), [("int32", -1), ("uint64", 2**64 - 1)])
def test_what_is_not_known_is_no_object(tmp_path, dtype, unknown):
    labels = np.full((2, 6, 6), unknown, dtype)
    labels[:, :, 3:] = 4
    labels[:, 0] = 0
    write_volume(tmp_path / "a.h5", labels)
    assert describe_volume(open_volume(tmp_path / "a.h5"))["ids"] == 1


def test_voxels_that_are_not_finite_do_not_count_and_are_counted(tmp_path):
    array = np.full((2, 3, 4), np.nan, np.float32)
    write_volume(tmp_path / "a.npz", array)
    assert describe_volume(open_volume(tmp_path / "a.npz"))["mean"] is None
    array[0, 0, :2] = 1, np.inf
    write_volume(tmp_path / "b.npz", array)
    description = describe_volume(open_volume(tmp_path / "b.npz"))
    assert (description["max"], description["not_finite"]) == (1, 23)


def test_voxels_that_are_not_finite_are_counted_in_slabs_in_sections_that_are_not_sampled(tmp_path, monkeypatch):
    array = np.zeros((70, 10, 10), np.float32)
    array[[1, 33, 69], 3, 4] = np.nan, np.inf, -np.inf
    write_volume(tmp_path / "a.h5", array)
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", 2**10)
    assert describe_volume(open_volume(tmp_path / "a.h5"))["not_finite"] == 3


def test_the_levels_of_a_pyramid_are_listed(tmp_path):
    write_volume(tmp_path / "a.ome.zarr", np.zeros((3, 70, 100), np.uint8), voxel_size_nm=(30, 6, 8))
    description = describe_volume(open_volume(tmp_path / "a.ome.zarr"))
    assert json.loads(json.dumps(description)) == description
    assert description["levels"] == [
        {"dataset": "0", "shape": [3, 70, 100], "voxel_size_nm": [30, 6, 8]},
        {"dataset": "1", "shape": [3, 35, 50], "voxel_size_nm": [30, 12, 16]},
    ]
