"""A chunk that is damaged where it lies is one sentence when it is read, and does no harm to the others."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import open_volume, write_volume

SHAPE = (64, 64, 64)


def _second_chunk(path):
    """Return the file that holds the chunk from z = 32 on, and where in it."""
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            chunk = file["volume"].id.get_chunk_info_by_coord((32, 0, 0))
            return path, chunk.byte_offset, chunk.size
    file = path / {".zarr": "c/1/0/0", ".n5": "volume/0/0/1", ".precomputed": "6_6_30/0-64_0-64_32-64"}[path.suffix]
    return file, 0, file.stat().st_size


@pytest.mark.parametrize(
    ("name", "format_name", "damage"),
    [
        ("a.zarr", "zarr", "overwritten"),
        ("a.zarr", "zarr", "cut off"),
        ("a.n5", "N5", "overwritten"),
        ("a.n5", "N5", "cut off"),
        ("a.precomputed", "precomputed volume", "overwritten"),
        ("a.precomputed", "precomputed volume", "cut off"),
        ("a.h5", "HDF5", "overwritten"),
    ],
)
def test_a_damaged_chunk_is_one_sentence(tmp_path, make_array, name, format_name, damage):
    array = make_array(np.uint32, SHAPE)
    write_volume(tmp_path / name, array, voxel_size_nm=(30, 6, 6))
    file, start, length = _second_chunk(tmp_path / name)
    content = bytearray(file.read_bytes())
    if damage == "cut off":
        del content[length // 2 :]
    else:
        content[start : start + length] = b"\xff" * length
    file.write_bytes(content)
    volume = open_volume(tmp_path / name)
    with pytest.raises(InputError, match=rf"expected a readable {format_name}, got .*{name}: ") as caught:
        volume[30:40, 3:5, 3:5]
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(volume[:32], array[:32])


@pytest.mark.parametrize("name", ["a.zarr", "a.n5", "a.precomputed"])
def test_a_chunk_that_is_not_stored_is_0(tmp_path, make_array, name):
    array = make_array(np.uint8, SHAPE) + np.uint8(1)
    write_volume(tmp_path / name, array, voxel_size_nm=(30, 6, 6))
    _second_chunk(tmp_path / name)[0].unlink()
    array[32:] = 0
    np.testing.assert_array_equal(open_volume(tmp_path / name)[...], array)
