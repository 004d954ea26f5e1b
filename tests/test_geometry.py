from __future__ import annotations

import pytest

from sectome.geometry import ORIGIN, as_point, as_voxel_size, unit_in_nm


@pytest.mark.parametrize(
    ("unit", "nm"),
    [
        ("nm", 1),
        (" Nanometer ", 1),
        ("\u00b5m", 1e3),
        ("\u03bcm", 1e3),
        ("\\u00B5m", 1e3),
        ("micron", 1e3),
        ("mm", 1e6),
        ("metre", 1e9),
        ("picometer", 1e-3),
        ("angstrom", 0.1),
        ("\u212b", 0.1),
        ("pixel", None),
        ("", None),
        (None, None),
    ],
)
def test_units_are_known_by_their_names(unit, nm):
    assert unit_in_nm(unit) == nm


def test_lengths_become_nm_without_the_noise_of_float32():
    assert as_voxel_size([0.05, 0.004599999, 4.6e-3], 1e3) == (50, 4.6, 4.6)


def test_coordinates_become_nm_with_the_digits_that_mean_something():
    assert as_point([0.05, -1.5, 0], 1e3) == (50, -1500, 0)
    assert as_point([1234567.25, 0, 0]) == (1234567.25, 0, 0)
    assert as_point([0.30000001192, 0, 0], 1e3, digits=7) == (300, 0, 0)
    assert str(as_point([-0.0, 0, 0])[0]) == "0.0"


@pytest.mark.parametrize("values", [[30, 6], [30, 6, None], [30, 6, float("nan")], [30, 6, float("inf")]])
def test_what_is_no_point_is_the_origin(values):
    assert as_point(values) == ORIGIN
    assert as_point([30, 6, 8], None) == ORIGIN


@pytest.mark.parametrize("values", [[30, 6], [30, 6, 0], [30, 6, None], [30, 6, float("nan")], [30, 6, float("inf")]])
def test_what_is_no_voxel_size_is_none(values):
    assert as_voxel_size(values) is None
    assert as_voxel_size([30, 6, 8], None) is None
