"""Gaussian smoothing against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sectome.postprocess import gaussian, slabs
from sectome.postprocess.gaussian import smooth


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 140)),
    sigma=st.tuples(*[st.sampled_from([0.0, 0.1, 0.3, 1.5, 6.0])] * 3),
)
def test_smoothing_agrees_with_scipy(seed, shape, sigma):
    values = np.random.default_rng(seed).random(shape, np.float32)
    expected = ndimage.gaussian_filter(values, sigma)
    smooth(values, sigma)
    np.testing.assert_allclose(values, expected, atol=1e-6)


def test_a_mirrored_volume_is_smoothed_to_the_mirror_image():
    values = np.random.default_rng(0).random((5, 20, 70), np.float32)
    for axis in range(3):
        mirrored = np.flip(values, axis).copy()
        smooth(mirrored, (0.5, 1.5, 1.5))
        expected = values.copy()
        smooth(expected, (0.5, 1.5, 1.5))
        np.testing.assert_array_equal(np.flip(mirrored, axis), expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_slabs_and_threads_change_nothing(threads, monkeypatch):
    values = np.random.default_rng(0).random((7, 30, 130), np.float32)
    whole = values.copy()
    smooth(whole, (1.0, 1.5, 2.0), threads=1)
    monkeypatch.setattr(slabs, "VOXELS_PER_SLAB", 500)
    smooth(values, (1.0, 1.5, 2.0), threads=threads)
    np.testing.assert_array_equal(values, whole)


def test_a_part_is_smoothed_as_in_the_whole_away_from_its_faces():
    values = np.random.default_rng(0).random((20, 40, 150), np.float32)
    part = values[:, 5:35, 37:140].copy()
    smooth(values, (1.0, 1.5, 1.5))
    smooth(part, (1.0, 1.5, 1.5))
    reach = len(gaussian._weights(1.5)) - 1
    inner = (slice(None), slice(5 + reach, 35 - reach), slice(37 + reach, 140 - reach))
    np.testing.assert_array_equal(part[:, reach:-reach, reach:-reach], values[inner])
