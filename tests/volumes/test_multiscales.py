from __future__ import annotations

import pytest

from sectome.checks import InputError
from sectome.volumes.multiscales import full_resolution, multiscale_voxel_size


def _image(axes, **level):
    return {"multiscales": [{"axes": axes, "datasets": [{"path": "0", **level}]}]}


SCALE = [{"type": "translation", "translation": [9, 9, 9]}, {"type": "scale", "scale": [30, 6, 8]}]


def test_level_0_is_the_first_dataset():
    assert full_resolution(_image([])) == "0"
    assert full_resolution({}) is None


def test_the_scale_counts_with_its_units():
    axes = [{"name": axis, "unit": "nanometer"} for axis in "zyx"]
    assert multiscale_voxel_size(_image(axes, coordinateTransformations=SCALE), "0") == (30, 6, 8)
    assert multiscale_voxel_size(_image(axes, coordinateTransformations=SCALE), "1") is None
    assert multiscale_voxel_size(_image(axes), "0") is None


@pytest.mark.parametrize("axes", [["z", "y", "x"], [{"name": axis} for axis in "zyx"], []])
def test_a_scale_without_units_is_no_voxel_size(axes):
    assert multiscale_voxel_size(_image(axes, coordinateTransformations=SCALE), "0") is None


def test_another_order_of_axes_is_refused():
    with pytest.raises(InputError, match=r"expected OME-Zarr axes that end in z, y, x, got \['x', 'y', 'z'\]"):
        multiscale_voxel_size(_image(["x", "y", "z"], coordinateTransformations=SCALE), "0")
