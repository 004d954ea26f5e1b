from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import open_volume, write_volume

from .conftest import OFFSET, VOXEL_SIZE


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32"])
def test_npy_is_read_in_either_order(tmp_path, make_array, order, dtype):
    np.save(tmp_path / "a.npy", np.asarray(make_array(dtype), order=order))
    volume = open_volume(tmp_path / "a.npy", voxel_size_nm=VOXEL_SIZE)
    assert volume.dtype.isnative
    assert volume.voxel_size_nm == VOXEL_SIZE
    np.testing.assert_array_equal(volume[1:4, ::-2, 5], make_array(dtype)[1:4, ::-2, 5])


def test_a_crop_of_an_npy_reads_only_the_crop(tmp_path):
    np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (64, 1024, 1024)).flush()
    tracemalloc.start()
    open_volume(tmp_path / "a.npy")[20:30, 100:200, 300:400]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_an_npz_is_opened_without_reading_its_voxels(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", labels=np.zeros((64, 512, 512), np.uint16), voxel_size_nm_zyx=VOXEL_SIZE)
    tracemalloc.start()
    volume = open_volume(tmp_path / "a.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert (volume.shape, volume.dtype, volume.voxel_size_nm) == ((64, 512, 512), np.uint16, VOXEL_SIZE)
    assert volume[3].sum() == 0


def test_the_array_is_chosen_by_name_or_is_the_only_volume(tmp_path, make_array):
    np.savez(tmp_path / "a.npz", labels=make_array(), mask=make_array(bool), voxel_size_nm=VOXEL_SIZE)
    assert open_volume(f"{tmp_path}/a.npz:mask").dtype == bool
    assert open_volume(f"{tmp_path}/a.npz:labels").voxel_size_nm == VOXEL_SIZE
    with pytest.raises(InputError, match=r"got 2; name one after a colon, as in a\.npz:labels"):
        open_volume(tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"got 'row' \(it holds labels \(5, 7, 11\), mask \(5, 7, 11\)"):
        open_volume(f"{tmp_path}/a.npz:row")
    with pytest.raises(InputError, match=r"three axes \(z, y, x\), got 1 in shape \(3,\)"):
        open_volume(f"{tmp_path}/a.npz:voxel_size_nm")


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_truncated_file_is_refused(tmp_path, make_array, truncate, name, kept):
    write_volume(tmp_path / name, make_array(np.uint16, (20, 30, 40)))
    truncate(tmp_path / name, kept)
    with pytest.raises(InputError, match=r"expected a readable np[yz], got .*a\.np"):
        open_volume(tmp_path / name)


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 2, 2), None), allow_pickle=True)
    np.savez(tmp_path / "b.npz", a=np.full((2, 2, 2), None))
    with pytest.raises(InputError, match="expected a readable npy"):
        open_volume(tmp_path / "a.npy")
    with pytest.raises(InputError, match="booleans, integers or floats, got object"):
        open_volume(tmp_path / "b.npz")


@pytest.mark.parametrize("shape", [(7, 11), (2, 5, 7, 11)])
def test_arrays_of_other_dimensions_are_refused(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(InputError, match=rf"three axes \(z, y, x\), got {len(shape)}"):
        open_volume(tmp_path / "a.npy")


def test_a_voxel_size_that_npy_cannot_hold_is_a_warning(tmp_path, make_array):
    with pytest.warns(UserWarning, match=r"a\.npy cannot hold the voxel size \(30\.0, 6\.0, 8\.0\) nm"):
        write_volume(tmp_path / "a.npy", make_array(), voxel_size_nm=VOXEL_SIZE)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), make_array())


def test_the_voxel_size_of_an_npz_is_one_for_its_arrays(tmp_path, make_array):
    write_volume(f"{tmp_path}/a.npz:raw", make_array(), voxel_size_nm=(1, 1, 1))
    with pytest.warns(
        UserWarning, match=r"a\.npz holds one voxel size for all .*: \(1\.0, .* becomes \(30\.0, .*\) nm"
    ):
        write_volume(f"{tmp_path}/a.npz:labels", make_array(), voxel_size_nm=VOXEL_SIZE)
    assert open_volume(f"{tmp_path}/a.npz:raw").voxel_size_nm == VOXEL_SIZE


def test_the_last_offset_holds_for_the_whole_npz_which_is_said(tmp_path, make_array):
    write_volume(f"{tmp_path}/a.npz:raw", make_array(), voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    write_volume(f"{tmp_path}/a.npz:labels", make_array(np.uint32), voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    with pytest.warns(
        UserWarning, match=r"a\.npz holds one offset for all .*: \(300\.0, .* becomes \(0\.0, 0\.0, 0\.0\) nm"
    ):
        write_volume(f"{tmp_path}/a.npz:labels", make_array(np.uint32), voxel_size_nm=VOXEL_SIZE)
    assert [open_volume(f"{tmp_path}/a.npz:{name}").offset_nm for name in ("raw", "labels")] == [(0, 0, 0)] * 2


def test_the_offset_of_an_npz_that_is_replaced_goes_with_it(tmp_path, make_array):
    write_volume(f"{tmp_path}/a.npz:raw", make_array(), offset_nm=OFFSET)
    write_volume(f"{tmp_path}/a.npz:raw", make_array())
    assert open_volume(tmp_path / "a.npz").offset_nm == (0, 0, 0)
