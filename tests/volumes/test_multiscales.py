from __future__ import annotations

import pytest

from sectome.checks import InputError
from sectome.geometry import ORIGIN, Placement
from sectome.volumes.multiscales import multiscale_attributes, multiscale_axes, multiscale_placements

from .conftest import OFFSET, VOXEL_SIZE

NM = [{"name": axis, "unit": "nanometer"} for axis in "zyx"]


def _scale(*values):
    return {"type": "scale", "scale": list(values)}


def _translation(*values):
    return {"type": "translation", "translation": list(values)}


def _image(axes, *level, image=()):
    datasets = [{"path": "0", "coordinateTransformations": list(level)}]
    return {"multiscales": [{"axes": axes, "datasets": datasets, "coordinateTransformations": list(image)}]}


def _placement(*args, **kwargs):
    return multiscale_placements(_image(*args, **kwargs))["0"]


def test_a_group_that_is_no_image_has_no_levels():
    assert multiscale_placements({}) == {}


def test_scale_and_translation_count():
    assert _placement(NM, _scale(30, 6, 8), _translation(300, -36, 48)) == Placement(VOXEL_SIZE, OFFSET)
    assert _placement(NM, _scale(30, 6, 8)) == Placement(VOXEL_SIZE, ORIGIN)


def test_the_images_transforms_come_after_the_levels():
    image = [_scale(2, 2, 2), _translation(100, 4, 8)]
    assert _placement(NM, _scale(15, 3, 4), _translation(100, -20, 20), image=image) == Placement(VOXEL_SIZE, OFFSET)


@pytest.mark.parametrize(
    ("unit", "nm"), [("nanometer", 1), ("micrometer", 1e3), ("angstrom", 0.1), ("picometer", 1e-3), ("millimeter", 1e6)]
)
def test_units_become_nm_and_may_differ_by_axis(unit, nm):
    axes = [{"name": "z", "unit": unit}, *NM[1:]]
    placement = _placement(axes, _scale(30 / nm, 6, 8), _translation(300 / nm, -36, 48))
    assert placement == Placement(VOXEL_SIZE, OFFSET)


@pytest.mark.parametrize(
    "axes", [["z", "y", "x"], [{"name": axis} for axis in "zyx"], [], [{"name": "z", "unit": "pixel"}, *NM[1:]]]
)
def test_a_scale_without_units_is_no_voxel_size(axes):
    assert _placement(axes, _scale(30, 6, 8), _translation(300, -36, 48)) == Placement()


def test_no_scale_or_one_of_other_length_is_no_voxel_size():
    assert _placement(NM) == Placement()
    assert _placement(NM, _scale(1, 30, 6, 8)) == Placement()


def test_another_order_of_axes_is_put_right():
    nanometers = [{"name": axis, "unit": "nanometer"} for axis in "CXZY"]
    placement = _placement(nanometers, _scale(1, 8, 30, 6), _translation(0, 48, 300, -36))
    assert placement == Placement(VOXEL_SIZE, OFFSET)
    assert multiscale_axes({"multiscales": [{"axes": nanometers, "datasets": []}]}) == ("x", "z", "y")
    assert multiscale_axes({"multiscales": [{"datasets": []}]}) == ("z", "y", "x")


def test_other_axes_at_the_end_are_refused():
    with pytest.raises(InputError, match=r"expected OME-Zarr axes that end in z, y and x, got \['z', 'y', 'x', 'c'\]"):
        _placement(["z", "y", "x", "c"], _scale(30, 6, 8, 1))


def test_what_is_written_is_read():
    levels = {"0": Placement(VOXEL_SIZE, OFFSET), "1": Placement((30, 12, 16), (300, -33, 52))}
    assert multiscale_placements(multiscale_attributes("a", levels, "nanometer", "mean")) == levels
    unknown = multiscale_attributes("a", levels, None, "mean")
    assert multiscale_placements(unknown) == {"0": Placement(), "1": Placement()}
