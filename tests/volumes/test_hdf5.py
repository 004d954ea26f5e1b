from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import open_volume, write_volume

from .conftest import OFFSET, VOXEL_SIZE


def _save(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array


def test_the_only_volume_needs_no_name(tmp_path, make_array):
    _save(tmp_path / "a.h5", volumes__raw=make_array(), volumes__ids=np.arange(3))
    np.testing.assert_array_equal(open_volume(tmp_path / "a.h5")[...], make_array())
    np.testing.assert_array_equal(open_volume(f"{tmp_path}/a.h5:/volumes/raw/")[2, 1:], make_array()[2, 1:])


def test_several_volumes_are_listed(tmp_path, make_array):
    _save(tmp_path / "a.h5", raw=make_array(), labels=make_array(np.uint32))
    with pytest.raises(InputError, match=r"got 2; name one .* a\.h5:labels \(it holds labels \(5, 7, 11\), raw \(5"):
        open_volume(tmp_path / "a.h5")


@pytest.mark.parametrize("dataset", ["row", "volumes"])
def test_an_absent_dataset_lists_those_there_are(tmp_path, make_array, dataset):
    _save(tmp_path / "a.h5", volumes__raw=make_array())
    with pytest.raises(
        InputError, match=rf"expected a dataset of .*, got '{dataset}' \(it holds volumes/raw \(5, 7, 11"
    ):
        open_volume(f"{tmp_path}/a.h5:{dataset}")


def test_a_file_without_volumes_is_refused(tmp_path):
    _save(tmp_path / "a.h5", image=np.zeros((7, 11)))
    with pytest.raises(InputError, match=r"expected one 3D dataset in .*, got none \(it holds image \(7, 11\)\)"):
        open_volume(tmp_path / "a.h5")
    with pytest.raises(InputError, match=r"three axes \(z, y, x\), got 2 in shape \(7, 11\) in .*a\.h5:image"):
        open_volume(f"{tmp_path}/a.h5:image")
    _save(tmp_path / "b.h5")
    with pytest.raises(InputError, match=r"got none \(it holds no dataset\)"):
        open_volume(tmp_path / "b.h5")


@pytest.mark.parametrize("axes", ["xyz", "yxc", "zyx", "cyx", ["depth", "height", "width"]])
@pytest.mark.parametrize("by_ilastik", [True, False])
def test_a_dataset_that_names_its_axes_in_another_order_is_refused(tmp_path, make_array, axes, by_ilastik):
    _save(tmp_path / "a.h5", raw=make_array())
    with h5py.File(tmp_path / "a.h5", "a") as file:
        if by_ilastik:
            file["raw"].attrs["axistags"] = json.dumps({"axes": [{"key": axis, "typeFlags": 2} for axis in axes]})
        else:
            for place, axis in enumerate(axes):
                file["raw"].dims[place].label = axis
    if axes in ("xyz", "yxc"):
        with pytest.raises(InputError, match=rf"expected axes z, y, x, got {', '.join(axes)} in .*a\.h5:raw"):
            open_volume(tmp_path / "a.h5")
    else:
        np.testing.assert_array_equal(open_volume(tmp_path / "a.h5")[:], make_array())


def test_a_virtual_dataset_whose_files_are_not_all_there_is_refused(tmp_path, make_array):
    layout = h5py.VirtualLayout(shape=(2, *make_array().shape[1:]), dtype=make_array().dtype)
    for z in range(2):
        _save(tmp_path / f"{z}.h5", section=make_array()[z])
        layout[z] = h5py.VirtualSource(f"{z}.h5", "section", shape=layout.shape[1:])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("raw", layout)
    np.testing.assert_array_equal(open_volume(tmp_path / "a.h5")[:], make_array()[:2])
    (tmp_path / "1.h5").unlink()
    with pytest.raises(InputError, match=r"expected the file 1\.h5, from which a virtual dataset in .*a\.h5 is made"):
        open_volume(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"resolution": np.array(VOXEL_SIZE)}, VOXEL_SIZE),
        ({"voxel_size_nm": VOXEL_SIZE, "resolution": (1, 1, 1)}, VOXEL_SIZE),
        ({"element_size_um": [0.03, 0.006, 0.008]}, VOXEL_SIZE),
        ({"resolution": (30, 6)}, None),
        ({"resolution": "high"}, None),
        ({}, None),
    ],
)
def test_the_voxel_size_comes_from_the_datasets_attributes(tmp_path, make_array, attributes, expected):
    _save(tmp_path / "a.hdf", raw=make_array(">i4"))
    with h5py.File(tmp_path / "a.hdf", "a") as file:
        file["raw"].attrs.update(attributes)
    volume = open_volume(tmp_path / "a.hdf")
    assert volume.voxel_size_nm == expected
    assert volume.dtype == np.dtype("=i4")
    np.testing.assert_array_equal(volume[::2], make_array(np.int32)[::2])


def test_cremi_tools_find_the_resolution_of_what_is_written(tmp_path, make_array):
    write_volume(
        f"{tmp_path}/a.hdf:volumes/labels/neuron_ids", make_array(np.uint64), voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET
    )
    with h5py.File(tmp_path / "a.hdf") as file:
        stored = file["volumes/labels/neuron_ids"]
        assert (tuple(stored.attrs["resolution"]), tuple(stored.attrs["offset"])) == (VOXEL_SIZE, OFFSET)
        assert stored.compression == "gzip"
        np.testing.assert_array_equal(stored[...], make_array(np.uint64))


def test_a_dataset_in_the_way_is_refused(tmp_path, make_array):
    _save(tmp_path / "a.h5", volumes__raw=make_array())
    with pytest.raises(InputError, match=r"expected a group at 'volumes/raw' in .*, got a dataset"):
        write_volume(f"{tmp_path}/a.h5:volumes/raw/labels", make_array())
    with pytest.raises(InputError, match="got the group 'volumes'"):
        write_volume(f"{tmp_path}/a.h5:volumes", make_array())


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.9])
def test_a_truncated_file_is_refused(tmp_path, make_array, truncate, kept):
    write_volume(tmp_path / "a.h5", make_array(np.uint16, (20, 30, 40)))
    truncate(tmp_path / "a.h5", kept)
    with pytest.raises(InputError, match=r"expected a readable HDF5, got .*a\.h5"):
        open_volume(tmp_path / "a.h5")


@pytest.mark.parametrize(("cache_mib", "kept_mib"), [("8", 2), ("0", 1)])
def test_decoded_chunks_are_kept_as_long_as_the_volume_is_open(tmp_path, monkeypatch, cache_mib, kept_mib):
    monkeypatch.setenv("SECTOME_CACHE_MB", cache_mib)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", data=np.arange(60000).reshape(30, 40, 50), chunks=(10, 10, 10), compression="gzip")
    volume = open_volume(tmp_path / "a.h5")
    stored = []
    for _ in range(2):
        assert volume[2, 3, 4] == 2 * 2000 + 3 * 50 + 4
        stored.append(volume._reader._stored)
    assert stored[0] is stored[1]
    assert stored[0].id.get_access_plist().get_chunk_cache()[1] == kept_mib * 2**20


@pytest.mark.parametrize("cache_mib", ["512", "0"])
def test_a_volume_that_is_read_in_order_keeps_the_chunks_of_a_box(tmp_path, monkeypatch, cache_mib):
    monkeypatch.setenv("SECTOME_CACHE_MB", cache_mib)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", data=np.ones((30, 40, 50), np.int16), chunks=(10, 10, 10))
        file.create_dataset("whole", data=np.ones((30, 40, 50), np.int16))
    volume, whole = (open_volume(f"{tmp_path}/a.h5:{name}") for name in ("raw", "whole"))
    for one in (volume, whole):
        one.keep_chunks_of((5, 12, 50))
        assert one[...].all()
    # Of 5 sections two chunks along z, of 12 rows three, of all columns five.
    assert volume._reader._stored.id.get_access_plist().get_chunk_cache()[1] == 2 * (2 * 10) * (3 * 10) * (5 * 10)
