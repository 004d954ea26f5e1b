"""Distances to the boundary against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sectome.postprocess.distance_transform import distance_to_boundary_nm

SIZE_NM = (30.0, 6.0, 8.0)


def test_distances_drawn_by_hand():
    inside = np.ones((3, 1, 5), bool)
    inside[1, 0, 0] = False
    expected = [[10, *np.hypot(10, [2, 4, 6, 8])], [0, 2, 4, 6, 8], [10, *np.hypot(10, [2, 4, 6, 8])]]
    got = distance_to_boundary_nm(inside, (10, 99, 2))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[:, 0], expected, rtol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(1, 140)),
    share=st.sampled_from([0.5, 0.9, 0.99]),
    size=st.sampled_from([(1.0, 1.0, 1.0), SIZE_NM, (0.5, 40.0, 3.7)]),
)
def test_distances_agree_with_scipy(seed, shape, share, size):
    inside = np.random.default_rng(seed).random(shape) < share
    inside.flat[seed % inside.size] = False
    before = inside.copy()
    got = distance_to_boundary_nm(inside, size)
    np.testing.assert_allclose(got, ndimage.distance_transform_edt(inside, sampling=size), rtol=2e-6)
    np.testing.assert_array_equal(inside, before)


def test_distances_across_hundreds_of_voxels_are_exact():
    inside = np.ones((3, 300, 400), bool)
    inside[[0, 2, 1], [5, 290, 150], [390, 3, 200]] = False
    expected = ndimage.distance_transform_edt(inside, sampling=SIZE_NM)
    np.testing.assert_allclose(distance_to_boundary_nm(inside, SIZE_NM), expected, rtol=2e-6)


def test_sections_by_themselves_agree_with_scipy():
    inside = np.random.default_rng(1).random((5, 9, 11)) < 0.9
    got = distance_to_boundary_nm(inside, SIZE_NM, per_section=True)
    for section, distance in zip(inside, got, strict=True):
        expected = ndimage.distance_transform_edt(section, sampling=SIZE_NM[1:])
        np.testing.assert_allclose(distance, expected, rtol=2e-6)


def test_without_a_boundary_the_distance_is_infinite():
    assert np.isinf(distance_to_boundary_nm(np.ones((2, 3, 4), bool), SIZE_NM)).all()
    inside = np.ones((2, 3, 4), bool)
    inside[0, 1, 1] = False
    per_section = distance_to_boundary_nm(inside, SIZE_NM, per_section=True)
    assert np.isfinite(per_section[0]).all()
    assert np.isinf(per_section[1]).all()


@pytest.mark.parametrize(("inside", "expected"), [(False, 0), (True, np.inf)])
def test_one_voxel_is_fine(inside, expected):
    assert distance_to_boundary_nm(np.full((1, 1, 1), inside), SIZE_NM).tolist() == [[[expected]]]
