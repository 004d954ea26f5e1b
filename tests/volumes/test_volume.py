from __future__ import annotations

import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import Volume, open_volume, open_with_default_size, require_voxel_size, write_volume

from .conftest import VOXEL_SIZE

FORMATS = (
    "a.tif", "a.h5", "a.zarr", "a.ome.zarr", "a.n5", "a.precomputed", "a.nii", "a.nii.gz", "a.mrc", "a.npz", "sections",
)  # fmt: skip
IN_CHUNKS = ("a.zarr", "a.ome.zarr", "a.n5", "a.precomputed")


@pytest.mark.parametrize("output", FORMATS)
def test_a_volume_survives_pickling(tmp_path, make_array, output):
    write_volume(tmp_path / output, make_array(), voxel_size_nm=VOXEL_SIZE)
    volume = open_volume(tmp_path / output)
    volume[0]
    copy = pickle.loads(pickle.dumps(volume))
    assert len(pickle.dumps(volume)) < 2000
    assert (copy.shape, copy.dtype, copy.voxel_size_nm) == (volume.shape, volume.dtype, VOXEL_SIZE)
    np.testing.assert_array_equal(copy[2, 1:3], make_array()[2, 1:3])


def test_the_users_voxel_size_survives_pickling(tmp_path, make_array):
    write_volume(tmp_path / "a.npz", make_array())
    volume = open_volume(tmp_path / "a.npz", voxel_size_nm=(1, 2, 3))
    assert pickle.loads(pickle.dumps(volume)).voxel_size_nm == (1, 2, 3)


def _sum_in_child(volume: Volume, queue) -> None:
    try:
        queue.put((int(np.asarray(volume).sum()), volume._process == os.getpid()))
    except InputError as error:
        queue.put(str(error))


def _in_forked_child(volume: Volume):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_sum_in_child, args=(volume, queue))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    return queue.get()


# Formats that tensorstore reads need a process in which no other test has used tensorstore: see test_zarr.py.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("output", [name for name in FORMATS if name not in IN_CHUNKS])
def test_a_forked_worker_opens_the_file_for_itself(tmp_path, make_array, output):
    write_volume(tmp_path / output, make_array())
    volume = open_volume(tmp_path / output)
    before = volume[...]
    assert _in_forked_child(volume) == (int(before.sum()), True)
    np.testing.assert_array_equal(volume[...], before)


@pytest.mark.parametrize("output", FORMATS)
def test_crops_are_new_arrays_in_native_order(tmp_path, make_array, output):
    write_volume(tmp_path / output, make_array(np.uint16), voxel_size_nm=VOXEL_SIZE)
    volume = open_volume(tmp_path / output)
    crop = volume[1:3, 2:5]
    assert type(crop) is np.ndarray
    assert crop.flags.writeable
    assert crop.flags.c_contiguous
    crop[:] = 0
    np.testing.assert_array_equal(volume[...], make_array(np.uint16))


def test_a_volume_converts_as_numpy_expects(tmp_path, make_array):
    write_volume(tmp_path / "a.tif", make_array())
    volume = open_volume(tmp_path / "a.tif")
    assert np.asarray(volume, dtype=np.float32).dtype == np.float32
    assert (len(volume), volume.ndim, volume.size, volume.nbytes) == (5, 3, 385, 385)
    assert isinstance(volume[1, 2, 3], np.uint8)
    np.testing.assert_array_equal(np.stack(list(volume)), make_array())
    with pytest.raises(ValueError, match="copy must be None or True"):
        np.array(volume, copy=False)
    assert "shape=(5, 7, 11), dtype=uint8, voxel_size_nm=None" in repr(volume)


def test_a_volume_knows_where_it_comes_from(tmp_path, make_array, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_volume("a.h5:volumes/raw", make_array())
    volume = open_volume("a.h5:volumes/raw")
    assert (volume.name, volume.path, volume.dataset) == ("a.h5:volumes/raw", tmp_path / "a.h5", "volumes/raw")
    assert open_volume(Path("a.h5")).dataset is None


def test_the_users_voxel_size_fills_in_and_wins_with_a_warning(tmp_path, make_array):
    write_volume(tmp_path / "without.h5", make_array())
    write_volume(tmp_path / "with.h5", make_array(), voxel_size_nm=VOXEL_SIZE)
    assert open_volume(tmp_path / "without.h5", voxel_size_nm=[1, 2, 3]).voxel_size_nm == (1, 2, 3)
    assert open_volume(tmp_path / "with.h5", voxel_size_nm=VOXEL_SIZE).voxel_size_nm == VOXEL_SIZE
    with pytest.warns(UserWarning, match=r"using the given voxel size \(1\.0, 2\.0, 3\.0\) nm; .* says \(30\.0"):
        volume = open_volume(tmp_path / "with.h5", voxel_size_nm=(1, 2, 3))
    assert volume.voxel_size_nm == (1, 2, 3)


def test_a_default_size_fills_in_and_never_wins_but_says_so(tmp_path, make_array):
    write_volume(tmp_path / "without.h5", make_array())
    write_volume(tmp_path / "with.h5", make_array(), voxel_size_nm=VOXEL_SIZE)
    assert open_with_default_size(tmp_path / "without.h5", [1, 2, 3]).voxel_size_nm == (1, 2, 3)
    assert open_with_default_size(tmp_path / "with.h5", VOXEL_SIZE).voxel_size_nm == VOXEL_SIZE
    with pytest.warns(UserWarning, match=r"voxel_size_nm \(1\.0, 2\.0, 3\.0\) changes nothing: .*h5 says \(30\.0"):
        volume = open_with_default_size(tmp_path / "with.h5", [1, 2, 3])
    assert volume.voxel_size_nm == VOXEL_SIZE
    assert open_with_default_size(tmp_path / "without.h5").voxel_size_nm is None
    with pytest.warns(UserWarning, match="near_voxel_size_nm changes nothing") as said:
        open_with_default_size(tmp_path / "without.h5", [1, 2, 3], [1, 2, 3])
    assert len(said) == 1
    with pytest.raises(InputError, match="voxel_size_nm must be three"):
        open_with_default_size(tmp_path / "without.h5", [1, 2])


def test_a_needed_voxel_size_that_is_missing_is_an_error(tmp_path, make_array):
    write_volume(tmp_path / "a.h5", make_array())
    with pytest.raises(InputError, match=r"no voxel size in .*a\.h5: give --voxel_size_nm z,y,x"):
        require_voxel_size(open_volume(tmp_path / "a.h5"))
    assert require_voxel_size(open_volume(tmp_path / "a.h5", voxel_size_nm=VOXEL_SIZE)) == VOXEL_SIZE


@pytest.mark.parametrize("voxel_size_nm", [(30, 6), (30, 6, -8), (30, 6, "x")])
def test_a_wrong_voxel_size_is_refused(tmp_path, make_array, voxel_size_nm):
    write_volume(tmp_path / "a.h5", make_array())
    with pytest.raises(InputError, match="voxel_size_nm must be three"):
        open_volume(tmp_path / "a.h5", voxel_size_nm=voxel_size_nm)


@pytest.mark.real_data
def test_every_file_of_the_real_data_opens():
    if "SECTOME_DATA" not in os.environ:
        pytest.skip("SECTOME_DATA names no folder of real data")
    folder = Path(os.environ["SECTOME_DATA"])
    shapes = {
        "fib25_medulla/unlabelled_a_raw.tif": ((250, 250, 250), (8, 8, 8)),
        "fib25_medulla/labelled_labels.npz": ((170, 250, 250), (8, 8, 8)),
        "vnc_ssTEM/stack1_raw.tif": ((20, 1024, 1024), (50, 4.6, 4.6)),
        "snemi_mini/train.npz:labels": ((32, 160, 160), (30, 6, 6)),
        "pinky40_labels/connectomics_512.npz": ((512, 512, 512), (40, 32, 32)),
    }
    for name, (shape, voxel_size_nm) in shapes.items():
        volume = open_volume(folder / name)
        assert (volume.shape, volume.voxel_size_nm) == (shape, voxel_size_nm)
    assert open_volume(folder / "vnc_ssTEM/stack1_raw.tif")[3:5, 10:20, 1000:].shape == (2, 10, 24)
