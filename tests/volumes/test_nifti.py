from __future__ import annotations

import nibabel
import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import open_volume, open_with_default_size, require_voxel_size, write_volume

from .conftest import OFFSET, VOXEL_SIZE


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("unit", "nm"), [("micron", 1e3), ("mm", 1e6), ("meter", 1e9), (None, None)])
def test_nibabels_files_are_transposed_whatever_their_affine(tmp_path, make_array, suffix, unit, nm):
    array = make_array(np.int16)
    z, y, x = (length / (nm or 1) for length in VOXEL_SIZE)
    turned = np.array([[0, -y, 0, 4], [x, 0, 0, -3], [0, 0, -z, 9], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(array.T, turned)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / f"a{suffix}")
    volume = open_volume(tmp_path / f"a{suffix}")
    assert (volume.shape, volume.dtype, volume.offset_nm) == ((5, 7, 11), np.int16, (0, 0, 0))
    assert volume.voxel_size_nm == (VOXEL_SIZE if nm else None)
    np.testing.assert_array_equal(volume[1:4:2, ::-1, 5:], array[1:4:2, ::-1, 5:])


@pytest.mark.parametrize(("unit", "nm"), [("micron", 1e3), ("mm", 1e6)])
def test_the_translation_of_an_affine_that_does_not_turn_is_the_offset(tmp_path, make_array, unit, nm):
    affine = np.diag([8 / nm, 6 / nm, 30 / nm, 1])
    affine[:3, 3] = 48 / nm, -36 / nm, 300 / nm
    image = nibabel.Nifti1Image(make_array().T, affine)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    volume = open_volume(tmp_path / "a.nii")
    assert (volume.voxel_size_nm, volume.offset_nm) == (VOXEL_SIZE, OFFSET)


def test_a_crop_of_an_uncompressed_file_reads_only_the_crop(tmp_path, make_array, monkeypatch):
    write_volume(tmp_path / "a.nii", make_array())
    volume = open_volume(tmp_path / "a.nii")
    shapes = []
    proxy = nibabel.arrayproxy.ArrayProxy
    get = proxy.__getitem__
    monkeypatch.setattr(
        proxy, "__getitem__", lambda self, key: (shapes.append((part := get(self, key)).shape), part)[1]
    )
    assert volume[1:3, 2:6, 3:10].shape == (2, 4, 7)
    assert shapes == [(7, 4, 2)]


def test_nibabel_reads_what_is_written(tmp_path, make_array):
    write_volume(tmp_path / "a.nii.gz", make_array(np.uint32), voxel_size_nm=VOXEL_SIZE, offset_nm=OFFSET)
    image = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), make_array(np.uint32).T)
    np.testing.assert_allclose(image.header.get_zooms(), (8e-6, 6e-6, 30e-6))
    np.testing.assert_allclose(np.diag(image.affine), (8e-6, 6e-6, 30e-6, 1))
    np.testing.assert_allclose(image.affine[:3, 3], (48e-6, -36e-6, 300e-6))
    assert image.header.get_xyzt_units()[0] == "mm"


def test_scaled_values_are_float32(tmp_path, make_array):
    image = nibabel.Nifti1Image(make_array(np.float32).T / 7, np.eye(4))
    image.set_data_dtype(np.int16)
    nibabel.save(image, tmp_path / "a.nii")
    volume = open_volume(tmp_path / "a.nii")
    assert volume.dtype == np.float32
    np.testing.assert_allclose(volume[...], make_array(np.float32) / 7, atol=0.01)


def test_a_time_axis_of_one_is_dropped_and_a_longer_one_refused(tmp_path, make_array):
    nibabel.save(nibabel.Nifti1Image(make_array().T[..., None], np.eye(4)), tmp_path / "a.nii")
    np.testing.assert_array_equal(open_volume(tmp_path / "a.nii")[1:3], make_array()[1:3])
    nibabel.save(nibabel.Nifti1Image(np.zeros((11, 7, 5, 2), np.uint8), np.eye(4)), tmp_path / "b.nii")
    with pytest.raises(InputError, match=r"three axes \(z, y, x\), got 4"):
        open_volume(tmp_path / "b.nii")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_a_truncated_file_is_refused(tmp_path, make_array, truncate, suffix, kept):
    write_volume(tmp_path / f"a{suffix}", make_array(np.uint16, (20, 30, 40)))
    truncate(tmp_path / f"a{suffix}", kept)
    with pytest.raises(InputError, match=r"expected a (complete|readable) NIfTI.*a\.nii"):
        np.asarray(open_volume(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize(("dtype", "shape"), [("bool", (5, 7, 11)), ("float16", (5, 7, 11)), ("uint8", (1, 2, 40000))])
def test_what_nifti_cannot_hold_is_refused(tmp_path, dtype, shape):
    with pytest.raises(InputError, match=f"expected a volume that NIfTI can hold, got {dtype}"):
        write_volume(tmp_path / "a.nii", np.zeros(shape, dtype))


def nifti_without_unit(path, zooms):
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.diag([*zooms, 1.0]))
    image.header.set_xyzt_units("unknown")
    image.to_filename(path)
    return path


def test_zooms_without_a_unit_are_mm_where_that_makes_a_microscopes_voxels(tmp_path):
    path = nifti_without_unit(tmp_path / "a.nii", (4e-6, 4e-6, 40e-6))
    with pytest.warns(UserWarning, match="a.nii gives voxels of 4e-05, 4e-06, 4e-06 .* without a unit: .* as mm"):
        volume = open_volume(path)
    assert volume.voxel_size_nm == (40.0, 4.0, 4.0)


def test_zooms_without_a_unit_are_refused_where_mm_cannot_be(tmp_path):
    volume = open_volume(nifti_without_unit(tmp_path / "a.nii", (4, 4, 40)))
    assert volume.voxel_size_nm is None
    with pytest.raises(
        InputError, match=r"no voxel size in .*a.nii .its voxel size 40, 4, 4 along .* cannot be in mm.: give"
    ):
        require_voxel_size(volume)
    assert require_voxel_size(open_with_default_size(tmp_path / "a.nii", (40, 4, 4))) == (40, 4, 4)


@pytest.mark.parametrize(("unit", "mm"), [("mm", 1.0), ("micron", 1e-3), ("unknown", 1.0)])
def test_the_affine_is_the_files_in_mm(tmp_path, unit, mm):
    affine = np.array([[0, -4.0, 0, 9], [-4, 0, 0, 8], [0, 0, 40, 7], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.uint8), affine)
    image.header.set_xyzt_units(unit)
    image.to_filename(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(open_volume(tmp_path / "a.nii.gz").affine_mm, np.diag([mm, mm, mm, 1]) @ affine)


def test_the_affine_of_another_format_is_its_voxel_size_and_offset_in_mm(tmp_path):
    write_volume(tmp_path / "a.nii", np.zeros((2, 3, 4), np.uint8), voxel_size_nm=(30, 6, 5), offset_nm=(300, 60, 50))
    write_volume(tmp_path / "a.mrc", np.zeros((2, 3, 4), np.uint8), voxel_size_nm=(30, 6, 5))
    affine = np.diag([5e-6, 6e-6, 30e-6, 1])
    np.testing.assert_allclose(open_volume(tmp_path / "a.mrc").affine_mm, affine)
    affine[:3, 3] = 50e-6, 60e-6, 300e-6
    np.testing.assert_allclose(open_volume(tmp_path / "a.nii").affine_mm, affine, rtol=1e-6)
