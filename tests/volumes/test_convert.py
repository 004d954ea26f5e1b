"""What a volume is survives the way from any format to any other."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.cli import convert
from sectome.volumes import open_volume, write_volume
from sectome.volumes.formats import FORMATS
from sectome.volumes.progress import WatchedSource

from .conftest import OFFSET, VOXEL_SIZE

# One suffix a format, and both ways of NIfTI; "" is a folder of sections. npy has no place for what is tested here.
SUFFIXES = ["", ".nii", *(known.suffixes[-1] for known in FORMATS if known.name != "npy")]


@pytest.mark.parametrize("output", SUFFIXES)
@pytest.mark.parametrize("source", SUFFIXES)
def test_voxels_voxel_size_and_offset_survive(tmp_path, make_array, source, output):
    array = make_array(np.uint16)
    write_volume(f"{tmp_path}/a{source}", array, voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    convert(f"{tmp_path}/a{source}", f"{tmp_path}/b{output}")
    copy = open_volume(f"{tmp_path}/b{output}")
    assert (copy.dtype, copy.voxel_size_nm, copy.offset_nm) == (array.dtype, VOXEL_SIZE, OFFSET)
    np.testing.assert_array_equal(copy[...], array)


@pytest.mark.parametrize("offset", [(1234560.0, -0.5, 987654.0), (0.25, 0.0, -0.75)])
@pytest.mark.parametrize("output", [suffix for suffix in SUFFIXES if suffix != ".precomputed"])
def test_offsets_far_away_and_within_a_voxel_survive(tmp_path, make_array, output, offset):
    write_volume(f"{tmp_path}/a{output}", make_array(), voxel_size_nm=(50, 4.6, 4.6), offset_nm=offset)
    assert open_volume(f"{tmp_path}/a{output}").offset_nm == pytest.approx(offset, rel=1e-6)


@pytest.mark.parametrize("output", sorted({*SUFFIXES} - {".nii", ".nii.gz", ".precomputed", ".ome.zarr"}))
def test_an_offset_survives_without_a_voxel_size(tmp_path, make_array, output):
    write_volume(f"{tmp_path}/a{output}", make_array(), offset_nm=OFFSET)
    copy = open_volume(f"{tmp_path}/a{output}")
    assert (copy.voxel_size_nm, copy.offset_nm) == (None, OFFSET)


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        ("a.npy", VOXEL_SIZE, f"a.npy cannot hold the voxel size {VOXEL_SIZE} nm and the offset {OFFSET} nm"),
        ("a.npy", None, f"a.npy cannot hold the offset {OFFSET} nm"),
        ("a.nii", None, f"a.nii cannot hold the offset {OFFSET} nm without a voxel size"),
        (
            "a.precomputed",
            (31, 6, 8),
            f"a.precomputed holds offsets of whole voxels: {OFFSET} nm becomes (310.0, -36.0",
        ),
    ],
)
def test_what_a_format_cannot_hold_is_said(tmp_path, make_array, name, size, sentence):
    with pytest.warns(UserWarning, match=re.escape(sentence)):
        write_volume(tmp_path / name, make_array(), voxel_size_nm=size, offset_nm=OFFSET)


def test_a_given_offset_wins_over_the_volumes_own(tmp_path, make_array):
    write_volume(tmp_path / "a.h5", make_array(), voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    write_volume(tmp_path / "b.h5", open_volume(tmp_path / "a.h5"), offset_nm=(1, 2, 3))
    assert open_volume(tmp_path / "b.h5").offset_nm == (1, 2, 3)


@pytest.mark.parametrize(
    ("container", "begun"),
    [("a.h5", True), ("a.npz", True), ("a.h5", False), ("a.zarr", False), ("a.n5", False), ("a.ome.zarr", False)],
)
def test_a_dataset_that_another_process_adds_meanwhile_is_not_lost(tmp_path, make_array, monkeypatch, container, begun):
    array = make_array()
    write_volume(tmp_path / "mine.tif", array)
    if begun:
        write_volume(tmp_path / f"{container}:first", array)
    read = WatchedSource.__getitem__

    def read_while_another_writes(volume, key):
        monkeypatch.setattr(WatchedSource, "__getitem__", read)
        (tmp_path / "other").mkdir()
        if begun:
            shutil.copyfile(tmp_path / container, tmp_path / "other" / container)
        write_volume(tmp_path / f"other/{container}:other", array)
        (tmp_path / "other" / container).replace(tmp_path / container)
        return volume[key]

    monkeypatch.setattr(WatchedSource, "__getitem__", read_while_another_writes)
    with pytest.raises(
        InputError, match=f"no other process to write .*{container} at the same time, got one: try again"
    ):
        convert(str(tmp_path / "mine.tif"), str(tmp_path / f"{container}:mine"))
    convert(str(tmp_path / "mine.tif"), str(tmp_path / f"{container}:mine"))
    for name in ("other", "mine", *(["first"] if begun else [])):
        np.testing.assert_array_equal(open_volume(tmp_path / f"{container}:{name}")[...], array)
