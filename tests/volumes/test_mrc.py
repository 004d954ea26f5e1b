from __future__ import annotations

import mrcfile
import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import open_volume, write_result, write_volume

from .conftest import OFFSET, VOXEL_SIZE


def _save(path, array, **fields):
    with mrcfile.new(path, array) as file:
        file.set_volume()
        for name, value in fields.items():
            file.header[name] = value


def test_more_objects_than_a_map_can_hold_are_not_lost(tmp_path):
    labels = np.arange(5 * 130 * 110, dtype=np.uint32).reshape(5, 130, 110)
    with pytest.raises(InputError, match=r"a type that MRC can hold .*, got uint32; the result is in .*a\.mrc\.tif$"):
        write_result(tmp_path / "a.mrc", labels, voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mrc.tif"]
    kept = open_volume(tmp_path / "a.mrc.tif")
    assert (kept.voxel_size_nm, kept.offset_nm) == (VOXEL_SIZE, OFFSET)
    np.testing.assert_array_equal(np.asarray(kept), labels)


@pytest.mark.parametrize("suffix", [".mrc", ".map", ".rec"])
@pytest.mark.parametrize("dtype", ["int8", "<i2", ">i2", "uint16", "float16", "float32"])
def test_the_modes_of_mrcfile_are_read(tmp_path, make_array, dtype, suffix):
    array = (make_array(np.int16) % 100 - 50).astype(dtype)
    if dtype == "uint16":
        array = make_array(np.uint16) + np.uint16(2**15)
    _save(tmp_path / f"a{suffix}", array)
    volume = open_volume(tmp_path / f"a{suffix}")
    assert (volume.shape, volume.dtype) == (array.shape, array.dtype.newbyteorder("="))
    np.testing.assert_array_equal(volume[1:4:2, ::-1, 5:], array[1:4:2, ::-1, 5:])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "float16", "float32"])
def test_mrcfile_reads_what_is_written(tmp_path, make_array, dtype):
    array = (make_array(np.int16) % 100 + (100 if dtype == "uint8" else 0)).astype(dtype)
    write_volume(tmp_path / "a.mrc", array, voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    assert mrcfile.validate(tmp_path / "a.mrc")
    with mrcfile.open(tmp_path / "a.mrc") as file:
        np.testing.assert_array_equal(file.data.view(array.dtype), array)
        assert file.voxel_size.tolist() == (80, 60, 300)
        assert file.header.origin.tolist() == (480, -360, 3000)
        assert file.is_volume()
    volume = open_volume(tmp_path / "a.mrc")
    assert volume.dtype == array.dtype
    np.testing.assert_array_equal(volume[...], array)


@pytest.mark.parametrize(
    ("stamp", "flags", "greatest", "dtype"),
    [(0, 0, 127, "int8"), (0, 0, 200, "uint8"), (1146047817, 0, 100, "uint8"), (1146047817, 1, 200, "int8")],
)
def test_bytes_are_signed_as_imod_says_or_as_the_greatest_value_tells(
    tmp_path, make_array, stamp, flags, greatest, dtype
):
    extra = bytes(40) + np.array([stamp, flags], np.int32).tobytes() + bytes(36)
    _save(tmp_path / "a.mrc", make_array().view(np.int8), extra2=np.void(extra), dmax=greatest)
    volume = open_volume(tmp_path / "a.mrc")
    assert volume.dtype == dtype
    np.testing.assert_array_equal(volume[...], make_array().view(dtype))


def test_angstrom_become_nm_and_the_origin_is_the_offset(tmp_path, make_array):
    # The cell may have more intervals than there are voxels: its edge counts by them.
    _save(
        tmp_path / "a.mrc",
        make_array(),
        cella=(46 * 22, 46 * 7, 500 * 5),
        mx=22,
        origin=(480, -360, 12345.6),
    )
    volume = open_volume(tmp_path / "a.mrc")
    assert volume.voxel_size_nm == (50, 4.6, 4.6)
    assert volume.offset_nm == (1234.56, -36, 48)


@pytest.mark.parametrize(
    ("flags", "version", "sign"), [(0, 0, -1), (1, 0, -1), (4, 0, 1), (0, 20140, 1), (4, 20140, 1)]
)
def test_an_origin_of_imod_has_the_sign_that_imod_gives_it(tmp_path, make_array, flags, version, sign):
    # Before MRC2014, a part that IMOD cut out of a volume had a negative origin.
    extra = bytes(40) + np.array([1146047817, flags], np.int32).tobytes() + bytes(36)
    _save(tmp_path / "a.mrc", make_array(np.int16), extra2=np.void(extra), nversion=version, origin=(-480, 360, -3000))
    assert open_volume(tmp_path / "a.mrc").offset_nm == (sign * -300, sign * 36, sign * -48)


def test_a_map_without_a_cell_has_no_voxel_size(tmp_path, make_array):
    _save(tmp_path / "a.mrc", make_array(np.int16))
    assert open_volume(tmp_path / "a.mrc").voxel_size_nm is None
    write_volume(tmp_path / "b.mrc", make_array(np.int16))
    assert open_volume(tmp_path / "b.mrc").voxel_size_nm is None


def test_an_extended_header_is_passed_over_and_an_image_is_one_section(tmp_path, make_array):
    array = make_array(np.int16)
    with mrcfile.new(tmp_path / "a.mrc", array) as file:
        file.set_extended_header(np.arange(100, dtype=np.int32))
    np.testing.assert_array_equal(open_volume(tmp_path / "a.mrc")[...], array)
    mrcfile.write(tmp_path / "b.mrc", array[0])
    np.testing.assert_array_equal(open_volume(tmp_path / "b.mrc")[...], array[:1])


def test_axes_in_another_order_and_complex_voxels_are_refused(tmp_path, make_array):
    _save(tmp_path / "a.mrc", make_array(np.int16), mapc=3, maps=1)
    with pytest.raises(InputError, match=r"along x, y and z \(1, 2, 3\), got \(3, 2, 1\) in .*a\.mrc"):
        open_volume(tmp_path / "a.mrc")
    _save(tmp_path / "b.mrc", make_array(np.complex64))
    with pytest.raises(InputError, match=r"booleans, integers or floats, got complex64 in .*b\.mrc"):
        open_volume(tmp_path / "b.mrc")


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (0.01, "expected a readable MRC, got"),
        (0.5, "expected a complete MRC of"),
        (0.999, "expected a complete MRC of"),
    ],
)
def test_a_truncated_map_is_refused(tmp_path, make_array, truncate, kept, message):
    write_volume(tmp_path / "a.mrc", make_array(np.uint16, (20, 30, 40)))
    truncate(tmp_path / "a.mrc", kept)
    with pytest.raises(InputError, match=rf"{message} .*a\.mrc"):
        open_volume(tmp_path / "a.mrc")


def test_what_is_no_map_is_refused(tmp_path):
    (tmp_path / "a.mrc").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(InputError, match=r"expected a readable MRC, got .*a\.mrc: ") as caught:
        open_volume(tmp_path / "a.mrc")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["bool", "uint32", "int64", "float64"])
def test_types_that_mrc_cannot_hold_are_refused_before_anything_is_written(tmp_path, make_array, dtype):
    with pytest.raises(InputError, match=rf"a type that MRC can hold \(int8, uint8, .*\), got {dtype}"):
        write_volume(tmp_path / "a.mrc", make_array(dtype))
    assert list(tmp_path.iterdir()) == []
