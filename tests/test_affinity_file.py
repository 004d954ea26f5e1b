"""Affinities on disk: values, offsets and voxel size survive; what does not fit is refused."""

from __future__ import annotations

import os

import numpy as np
import pytest

from sectome.affinity_file import StoredAffinities, write_affinities
from sectome.checks import InputError
from sectome.neighbourhoods import LONG_RANGE, NEAREST
from sectome.volumes import open_volume, write_volume

VALUES = np.random.default_rng(0).random((3, 5, 7, 11), dtype=np.float32)


def test_affinities_survive_to_a_255th(tmp_path):
    write_affinities(tmp_path / "a.zarr", VALUES, NEAREST, (30, 6, 8))
    back = StoredAffinities(tmp_path / "a.zarr")
    assert back.read_all().dtype == np.uint8
    assert np.abs(back.read_all() / 255 - VALUES).max() <= 0.5 / 255 + 1e-6
    assert (back.offsets, back.voxel_size_nm) == (NEAREST, (30, 6, 8))


def test_a_path_may_lead_through_the_folder_above(tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    write_affinities(tmp_path / "a.zarr", VALUES, NEAREST, (30, 6, 8))
    assert StoredAffinities("../a.zarr").read_all().shape == VALUES.shape


def test_another_tool_reads_the_same(tmp_path):
    zarr = pytest.importorskip("zarr", reason="the zarr package is a development dependency on Python 3.11 and newer")
    write_affinities(tmp_path / "a.zarr", VALUES, NEAREST, (30, 6, 8))
    array = zarr.open(tmp_path / "a.zarr", mode="r")
    assert np.array_equal(array[:], StoredAffinities(tmp_path / "a.zarr").read_all())
    assert array.attrs["offsets"] == [list(offset) for offset in NEAREST]


def test_an_old_result_is_replaced_and_other_folders_are_not(tmp_path):
    write_affinities(tmp_path / "a.zarr", VALUES, NEAREST, (30, 6, 8))
    write_affinities(tmp_path / "a.zarr", VALUES[:, :2], NEAREST, (30, 6, 8))
    assert StoredAffinities(tmp_path / "a.zarr").read_all().shape == (3, 2, 7, 11)
    (tmp_path / "other.zarr").mkdir()
    with pytest.raises(InputError, match="a zarr folder of affinities or maps, or nothing"):
        write_affinities(tmp_path / "other.zarr", VALUES, NEAREST, (30, 6, 8))


@pytest.mark.parametrize(
    ("name", "offsets", "message"),
    [
        ("a.tif", NEAREST, "ends in .zarr, got"),
        ("a.zarr", LONG_RANGE, r"K = 12, one channel per offset or name, got shape \(3, 5"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, name, offsets, message):
    with pytest.raises(InputError, match=message):
        write_affinities(tmp_path / name, VALUES, offsets, (30, 6, 8))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(tmp_path))
    with pytest.raises(InputError, match=f"the folder of the output must be a writable folder, got {tmp_path}"):
        write_affinities(tmp_path / "a.zarr", np.ones((3, 2, 2, 2)), NEAREST, (8, 8, 8))


def test_a_folder_without_affinities_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a .* at .*, got none"):
        StoredAffinities(tmp_path / "none.zarr")
    (tmp_path / "zarr.json").write_text("{}")
    with pytest.raises(InputError, match="must hold affinities with offsets"):
        StoredAffinities(tmp_path)


def test_a_group_with_volumes_in_it_is_not_replaced(tmp_path):
    write_volume(tmp_path / "project.ome.zarr", np.zeros((4, 8, 8), np.uint8), voxel_size_nm=(30, 6, 8))
    with pytest.raises(InputError, match="expected a zarr folder of affinities or maps, or nothing"):
        write_affinities(tmp_path / "project.ome.zarr", VALUES, NEAREST, (30, 6, 8))
    assert open_volume(tmp_path / "project.ome.zarr").shape == (4, 8, 8)
