"""What would train in silence and teach nothing is warned of before a training has taken its time."""

from __future__ import annotations

import warnings

import nibabel
import numpy as np
import pytest

from sectome.phantom import make_phantom
from sectome.tissue import open_tissue, warn_of_doubtful_labels, warn_of_voxels
from sectome.volumes import write_volume

VOXEL_SIZE_NM = (30, 6, 6)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom((8, 96, 96), VOXEL_SIZE_NM, seed=0)


def warned_of(tmp_path, told_apart=True, **volumes):
    """Return what is said of an entry with these volumes."""
    for name, volume in volumes.items():
        write_volume(tmp_path / f"{name}.tif", volume, voxel_size_nm=VOXEL_SIZE_NM)
    tissue = open_tissue([{name: str(tmp_path / f"{name}.tif") for name in volumes}])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_doubtful_labels(tissue, told_apart)
    return [str(one.message) for one in caught]


def test_labels_membranes_and_volumes_without_labels_pass(tmp_path, phantom):
    assert warned_of(tmp_path, image=phantom.raw) == []
    assert warned_of(tmp_path, image=phantom.raw, label=phantom.neurons) == []
    assert warned_of(tmp_path, image=phantom.raw, membrane=(phantom.neurons == 0).astype(np.uint8)) == []


def test_one_object_may_be_all_that_need_not_be_told_apart(tmp_path, phantom):
    one = np.zeros_like(phantom.neurons)
    one[:, 20:50, 30:60] = 7
    assert warned_of(tmp_path, told_apart=False, image=phantom.raw, label=one) == []
    (said,) = warned_of(tmp_path, told_apart=True, image=phantom.raw, label=one)
    assert "all objects have the id 7 in the middle of three sections" in said


@pytest.mark.parametrize("told_apart", [True, False])
@pytest.mark.parametrize("wrong", ["mask", "grey values", "nothing", "masked out"])
def test_what_is_no_labels_is_named(tmp_path, phantom, wrong, told_apart):
    volumes = {"image": phantom.raw, "label": phantom.neurons}
    if wrong == "masked out":
        volumes["mask"] = np.zeros_like(phantom.raw)
    else:
        volumes["label"] = {
            "mask": np.where(phantom.neurons > 0, 255, 0).astype(np.uint8),
            "grey values": phantom.raw,
            "nothing": np.zeros_like(phantom.neurons),
        }[wrong]
    (said,) = warned_of(tmp_path, told_apart, **volumes)
    sentence = {"mask": "all objects have the id 255", "grey values": "the labels change from voxel to voxel"}
    assert f"image.tif: {sentence.get(wrong, 'the labels hold no object')}" in said


def opened(tmp_path, name, voxel_size_nm):
    write_volume(tmp_path / name, np.random.default_rng(0).random((4, 5, 6)), voxel_size_nm=voxel_size_nm)
    return open_tissue([{"image": str(tmp_path / name)}])


def test_voxels_of_several_sizes_are_named(tmp_path, recwarn):
    thick, thin = opened(tmp_path, "thick.tif", (40, 4, 4)), opened(tmp_path, "thin.tif", (8, 8, 8))
    warn_of_voxels([*thin, *opened(tmp_path, "nearly.tif", (9, 7, 8))], isotropic=True)
    assert not recwarn
    with pytest.warns(
        UserWarning, match=r"thin.tif has voxels of \(8.0, 8.0, 8.0\) nm .*thick.tif of \(40.0, 4.0, 4.0\)"
    ):
        warn_of_voxels([*thick, *thin], isotropic=False)
    with pytest.warns(UserWarning, match=r"isotropic exchanges z with y and x, but voxels are \(40.0, 4.0, 4.0\) nm"):
        warn_of_voxels(thick, isotropic=True)


def test_labels_that_lie_elsewhere_are_named(tmp_path):
    voxels = np.arange(120, dtype=np.uint16).reshape(4, 5, 6)
    write_volume(tmp_path / "image.zarr", voxels, voxel_size_nm=(8, 8, 8), offset_nm=(8, 8, 8))
    write_volume(tmp_path / "label.zarr", voxels, voxel_size_nm=(4, 4, 4), offset_nm=(64, 160, 160))
    entry = {"image": str(tmp_path / "image.zarr"), "label": str(tmp_path / "label.zarr")}
    said = "image.zarr and its label .*label.zarr"
    with (
        pytest.warns(UserWarning, match=rf"{said} begin at \(8.0, 8.0, 8.0\) and \(64.0, 160.0, 160.0\) nm"),
        pytest.warns(UserWarning, match=rf"{said} have voxels of \(8.0, 8.0, 8.0\) and \(4.0, 4.0, 4.0\) nm"),
    ):
        open_tissue([entry])


def test_a_nifti_that_is_mirrored_against_its_image_is_named(tmp_path):
    voxels = np.arange(120, dtype=np.uint16).reshape(4, 5, 6)
    affine = np.diag([8e-6, 8e-6, 8e-6, 1])
    mirror = np.diag([-1.0, 1, 1, 1])
    affine[:3, 3] = 8e-6
    for name, values, turned in (
        ("image", voxels, mirror @ affine),
        ("label", voxels, affine),
        ("part", voxels[1:3, 1:3, 1:3], affine),
    ):
        nifti = nibabel.Nifti1Image(values.T, turned)
        nifti.header.set_xyzt_units("mm")
        nifti.to_filename(tmp_path / f"{name}.nii")
    write_volume(tmp_path / "without.nii", voxels)
    image = {"image": str(tmp_path / "image.nii")}
    for label in ("label", "part"):
        said = f"image.nii and its label .*{label}.nii have axes that go to SAL and SAR along"
        with pytest.warns(UserWarning, match=said):
            open_tissue([image | {"label": str(tmp_path / f"{label}.nii")}])
    # Warnings are errors here: the same axes, and a file that says nothing of its own, differ from none.
    open_tissue([image | {"label": str(tmp_path / "image.nii")}])
    open_tissue([image | {"label": str(tmp_path / "without.nii")}], (8, 8, 8))
