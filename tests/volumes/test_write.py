from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from sectome import fingerprint
from sectome.checks import InputError
from sectome.volumes import blocks, open_volume, write_volume

from .conftest import VOXEL_SIZE

OUTPUTS = (
    "a.tif", "a.h5", "a.hdf:volumes/raw", "a.zarr", "a.zarr:volumes/raw", "a.ome.zarr", "a.ome.zarr:volumes/raw",
    "a.n5", "a.n5:volumes/raw", "a.nii", "a.nii.gz", "a.npz", "a.npz:labels", "sections", "sections.d/",
)  # fmt: skip
STREAMED = (
    "b.tif", "b.h5", "b.zarr", "b.ome.zarr", "b.n5", "b.precomputed", "b.mrc", "b.nii", "b.npy", "b_sections",
)  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int64", "float32"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_every_format_keeps_values_type_and_voxel_size(tmp_path, make_array, output, dtype):
    array = make_array(dtype)
    write_volume(f"{tmp_path}/{output}", array, voxel_size_nm=VOXEL_SIZE)
    volume = open_volume(f"{tmp_path}/{output}")
    assert (volume.shape, volume.dtype, volume.voxel_size_nm) == (array.shape, array.dtype, VOXEL_SIZE)
    np.testing.assert_array_equal(np.asarray(volume), array)
    np.testing.assert_array_equal(volume[1:4:2, ::-1, -9:-2], array[1:4:2, ::-1, -9:-2])


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_volume_without_voxel_size_stays_without(tmp_path, make_array, output):
    write_volume(f"{tmp_path}/{output}", make_array())
    assert open_volume(f"{tmp_path}/{output}").voxel_size_nm is None


@pytest.mark.parametrize("shape", [(1, 7, 11), (5, 1, 11), (5, 7, 1), (5, 7, 3), (4, 3, 4)])
@pytest.mark.parametrize("output", OUTPUTS)
def test_thin_volumes_keep_their_three_axes(tmp_path, make_array, output, shape):
    array = make_array(np.uint8, shape)
    write_volume(f"{tmp_path}/{output}", array, voxel_size_nm=(50, 4.6, 4.6))
    volume = open_volume(f"{tmp_path}/{output}")
    assert volume.voxel_size_nm == (50, 4.6, 4.6)
    np.testing.assert_array_equal(np.asarray(volume), array)


@pytest.mark.parametrize("output", STREAMED)
def test_a_volume_is_copied_in_slabs_and_keeps_its_voxel_size(tmp_path, make_array, monkeypatch, output):
    array = make_array(np.uint16, (70, 130, 70))
    write_volume(tmp_path / "a.h5", array, voxel_size_nm=VOXEL_SIZE)
    source = open_volume(tmp_path / "a.h5")
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", 2**19)
    monkeypatch.setattr(fingerprint, "_PLACES", 0)
    sizes = []
    reader = source._open()
    read = reader.read
    monkeypatch.setattr(reader, "read", lambda z, y, x: (sizes.append((voxels := read(z, y, x)).nbytes), voxels)[1])
    if output.endswith(".npy"):
        with pytest.warns(UserWarning, match="cannot hold the voxel size"):
            write_volume(tmp_path / output, source)
    else:
        write_volume(tmp_path / output, source)
        assert open_volume(tmp_path / output).voxel_size_nm == VOXEL_SIZE
    assert sum(sizes) == array.nbytes
    assert max(sizes) <= 2**19 + 32 * 64 * 70 * 2
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / output)), array)


@pytest.mark.filterwarnings("ignore:b.npy cannot hold")
@pytest.mark.parametrize("output", [*STREAMED, "b.npz", "b.zarr:raw", "b.ome.zarr:raw", "b.n5:raw", "b.h5:raw"])
def test_a_failure_leaves_the_old_output_and_no_partial_file(tmp_path, make_array, monkeypatch, output):
    def unreadable():
        raise OSError("the disk is gone")

    array = make_array()
    write_volume(f"{tmp_path}/{output}", array, voxel_size_nm=VOXEL_SIZE)
    before = sorted(os.listdir(tmp_path))
    volume = open_volume(f"{tmp_path}/{output}")
    broken = open_volume(f"{tmp_path}/{output}")
    monkeypatch.setattr(broken, "_open", unreadable)
    with pytest.raises((InputError, OSError), match="the disk is gone"):
        write_volume(f"{tmp_path}/{output}", broken)
    assert sorted(os.listdir(tmp_path)) == before
    np.testing.assert_array_equal(np.asarray(volume), array)


@pytest.mark.parametrize("output", [*OUTPUTS, "a.mrc", "a.precomputed"])
def test_an_existing_output_is_replaced(tmp_path, make_array, output):
    write_volume(f"{tmp_path}/{output}", make_array(np.uint16, (9, 8, 7)), voxel_size_nm=VOXEL_SIZE)
    write_volume(f"{tmp_path}/{output}", make_array(np.uint8), voxel_size_nm=VOXEL_SIZE)
    np.testing.assert_array_equal(np.asarray(open_volume(f"{tmp_path}/{output}")), make_array(np.uint8))
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize(
    "output", ["a.tif", "a.h5", "a.zarr", "a.ome.zarr", "a.n5", "a.precomputed", "a.mrc", "sections", "a.npz"]
)
def test_a_volume_can_be_written_over_itself(tmp_path, make_array, output):
    write_volume(tmp_path / output, make_array(), voxel_size_nm=VOXEL_SIZE)
    write_volume(tmp_path / output, open_volume(tmp_path / output), voxel_size_nm=VOXEL_SIZE)
    volume = open_volume(tmp_path / output)
    np.testing.assert_array_equal(np.asarray(volume), make_array())
    assert volume.voxel_size_nm == VOXEL_SIZE


@pytest.mark.parametrize("output", ["a.h5:labels", "a.zarr:labels", "a.n5:labels", "a.npz:labels"])
def test_a_named_dataset_joins_the_others_of_its_container(tmp_path, make_array, output):
    container = f"{tmp_path}/{output.split(':')[0]}"
    write_volume(f"{container}:raw", make_array(np.uint8), voxel_size_nm=VOXEL_SIZE)
    write_volume(f"{container}:labels", make_array(np.uint32), voxel_size_nm=VOXEL_SIZE)
    np.testing.assert_array_equal(np.asarray(open_volume(f"{container}:raw")), make_array(np.uint8))
    np.testing.assert_array_equal(np.asarray(open_volume(f"{container}:labels")), make_array(np.uint32))
    with pytest.raises(InputError, match=r"holds others.*raw \(5, 7, 11\)"):
        write_volume(container, make_array())


@pytest.mark.parametrize("output", ["a.tif", "a.zarr", "a.n5", "a.precomputed", "a.mrc", "a.nii", "a.npz", "sections"])
def test_byte_order_does_not_change_values_and_the_input_is_untouched(tmp_path, make_array, output):
    array = make_array(">u2")
    before = array.copy()
    write_volume(tmp_path / output, array, voxel_size_nm=VOXEL_SIZE)
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / output)), before)
    np.testing.assert_array_equal(array, before)


def test_missing_folders_are_created_and_links_stay_links(tmp_path, make_array):
    write_volume(tmp_path / "x" / "y" / "a.npz", make_array())
    (tmp_path / "link.npz").symlink_to(tmp_path / "x" / "y" / "a.npz")
    write_volume(tmp_path / "link.npz", make_array(np.uint16))
    assert (tmp_path / "link.npz").is_symlink()
    assert open_volume(tmp_path / "x" / "y" / "a.npz").dtype == np.uint16


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path, make_array):
    with pytest.raises(InputError, match=r"one of \.tif, .*\.h5, .*\.zarr, .*\.nii\.gz.*, got 'a\.jpg'"):
        write_volume(tmp_path / "a.jpg", make_array())
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((7, 11)), r"three axes \(z, y, x\), got 2 in shape \(7, 11\)"),
        (np.zeros((2, 5, 7, 11)), r"three axes \(z, y, x\), got 4"),
        (np.zeros((0, 7, 11)), r"holds voxels, got shape \(0, 7, 11\)"),
        (np.zeros((5, 7, 11), complex), "booleans, integers or floats, got complex128"),
    ],
)
def test_what_is_no_volume_is_not_written(tmp_path, array, message):
    with pytest.raises(InputError, match=message):
        write_volume(tmp_path / "a.tif", array)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("offset_nm", [(30, 6), (30, 6, float("nan")), "8nm"])
def test_a_wrong_offset_is_refused(tmp_path, make_array, offset_nm):
    with pytest.raises(InputError, match="offset_nm must be three"):
        write_volume(tmp_path / "a.tif", make_array(), offset_nm=offset_nm)


@pytest.mark.parametrize("voxel_size_nm", [(30, 6), (30, 6, 0), "8nm"])
def test_a_wrong_voxel_size_is_refused(tmp_path, make_array, voxel_size_nm):
    with pytest.raises(InputError, match="voxel_size_nm must be three"):
        write_volume(tmp_path / "a.tif", make_array(), voxel_size_nm=voxel_size_nm)


def test_folders_with_other_content_are_never_replaced(tmp_path, make_array):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    (tmp_path / "home.zarr").mkdir()
    (tmp_path / "home.zarr" / "thesis.txt").write_text("years of work")
    for other in ("home.n5", "home.precomputed"):
        shutil.copytree(tmp_path / "home.zarr", tmp_path / other)
        with pytest.raises(InputError, match="got something else"):
            write_volume(tmp_path / other, make_array(), voxel_size_nm=VOXEL_SIZE)
    (tmp_path / "home.tif").mkdir()
    write_volume(tmp_path / "stacks" / "raw.tif", make_array())
    with pytest.raises(InputError, match=r"which holds raw\.tif"):
        write_volume(tmp_path / "stacks", make_array())
    with pytest.raises(InputError, match=r"got .*home, which holds thesis\.txt"):
        write_volume(tmp_path / "home", make_array())
    with pytest.raises(InputError, match="got something else"):
        write_volume(tmp_path / "home.zarr", make_array())
    with pytest.raises(InputError, match="expected a file to write, got the folder"):
        write_volume(tmp_path / "home.tif", make_array())
    assert (tmp_path / "home" / "thesis.txt").exists()
    assert (tmp_path / "home.zarr" / "thesis.txt").exists()


@pytest.mark.parametrize("container", ["a.h5", "a.zarr", "a.n5", "a.npz"])
def test_a_dataset_outside_of_its_container_is_refused(tmp_path, make_array, container):
    (tmp_path / "inner").mkdir()
    with pytest.raises(InputError, match=r"expected a dataset inside the container, got .*:x/\.\./\.\./b'"):
        write_volume(f"{tmp_path}/inner/{container}:x/../../b", make_array())
    assert [path.name for path in tmp_path.rglob("*")] == ["inner"]


def test_an_output_below_a_file_is_refused(tmp_path, make_array):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a writable output"):
        write_volume(tmp_path / "file" / "a.tif", make_array())


@pytest.mark.parametrize(("name", "begun"), [("a.n5", "seg"), ("a.zarr", "seg"), ("a.ome.zarr", "labels/seg/0")])
def test_what_is_being_written_into_a_container_is_no_dataset_of_it(tmp_path, make_array, name, begun):
    write_volume(f"{tmp_path}/{name}:raw", make_array(), voxel_size_nm=VOXEL_SIZE)
    write_volume(f"{tmp_path}/{name}:{begun}", make_array(), voxel_size_nm=VOXEL_SIZE)
    # As a process that was killed has left it.
    written = tmp_path / name / begun.removesuffix("/0")
    written.rename(written.with_name(".seg.0123abcd.partial"))
    np.testing.assert_array_equal(open_volume(tmp_path / name)[...], make_array())
