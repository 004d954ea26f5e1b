from __future__ import annotations

import json

import numpy as np
import pytest

from sectome.volumes import describe_volume, open_volume, write_volume


def test_a_description_is_json_and_says_what_is_in_the_sampled_sections(tmp_path):
    array = np.random.default_rng(0).integers(10, 200, (9, 20, 30), dtype=np.uint8)
    write_volume(tmp_path / "a.tif", array, voxel_size_nm=(30, 6, 8))
    description = describe_volume(open_volume(tmp_path / "a.tif"))
    assert json.loads(json.dumps(description)) == description
    sampled = array[[0, 2, 4, 6, 8]]
    assert description == {
        "name": str(tmp_path / "a.tif"),
        "shape": [9, 20, 30],
        "dtype": "uint8",
        "voxel_size_nm": [30, 6, 8],
        "extent_um": [0.27, 0.12, 0.24],
        "memory_bytes": 5400,
        "sampled_sections": [0, 2, 4, 6, 8],
        "min": sampled.min(),
        "max": sampled.max(),
        "mean": pytest.approx(sampled.mean()),
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


def test_voxels_that_are_not_finite_do_not_count(tmp_path):
    array = np.full((2, 3, 4), np.nan, np.float32)
    write_volume(tmp_path / "a.npz", array)
    assert describe_volume(open_volume(tmp_path / "a.npz"))["mean"] is None
    array[0, 0, :2] = 1, np.inf
    write_volume(tmp_path / "b.npz", array)
    assert describe_volume(open_volume(tmp_path / "b.npz"))["max"] == 1
