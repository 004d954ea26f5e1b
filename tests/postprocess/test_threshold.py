"""Thresholds as numbers and as percentiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sectome.checks import InputError
from sectome.neighbourhoods import ISOTROPIC, NEAREST
from sectome.postprocess import affinities_to_labels, fragments_distance, fragments_watershed
from sectome.postprocess.mean_affinity import mean_affinity
from sectome.postprocess.threshold import check_threshold, threshold_of

SIZE_NM = (30.0, 6.0, 8.0)
PERCENTS = st.one_of(st.integers(0, 100), st.sampled_from([0.1, 2.5, 99.5, 99.99]))


def reference_percentile(percent, values):
    """The smallest value that as many per cent do not exceed."""
    ordered = np.sort(values, axis=None)
    reached = 100 * np.arange(1, ordered.size + 1) >= percent * ordered.size
    return ordered[reached.argmax()]


@settings(deadline=None)
@given(values=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=4)), percent=PERCENTS)
def test_a_percentile_of_bytes_is_one_of_them(values, percent):
    assert threshold_of(f"{percent}%", values, "low") == reference_percentile(percent, values) / 255


@settings(deadline=None)
@given(
    values=hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=4), elements=st.floats(0, 1, width=32)),
    percent=PERCENTS,
)
def test_a_percentile_of_floats_is_right_to_one_level_and_not_above_the_value(values, percent):
    expected = reference_percentile(percent, values)
    assert expected - 1 / 65535 <= threshold_of(f"{percent}%", values, "low") <= expected + 1e-7


def test_percentiles_drawn_by_hand():
    values = np.array([[[10, 20, 20, 30, 255]]], np.uint8)
    found = [threshold_of(f"{percent}%", values, "low") * 255 for percent in (0, 20, 20.1, 60, 80, 80.5, 100)]
    assert found == pytest.approx([10, 10, 20, 20, 30, 255, 255])


def test_values_that_rounding_took_out_of_range_are_counted_at_its_ends():
    values = np.array([[[-5e-5, 0.5, 1.00005]]], np.float32)
    assert [threshold_of(f"{percent}%", values, "low") for percent in (0, 100)] == [0, 1]


def test_a_number_stays_itself():
    assert threshold_of(0.3, np.zeros((1, 1, 1)), "low") == 0.3
    assert check_threshold("99.5%", "low") == "99.5%"


@pytest.mark.parametrize("threshold", ["120%", "-1%", "x%", "50", "%", "nan%", "", "5%%"])
def test_what_is_no_percentile_is_refused(threshold):
    with pytest.raises(
        InputError, match=f"high must be a number in 0..1 or a percentile as in '99.5%', got '{threshold}'"
    ):
        check_threshold(threshold, "high")


@pytest.mark.parametrize("threshold", [-0.1, 1.1, 50, float("nan")])
def test_numbers_out_of_range_are_refused(threshold):
    with pytest.raises(InputError, match=f"high must lie in 0..1, got {threshold}"):
        threshold_of(threshold, np.zeros((1, 1, 1)), "high")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_percentile_is_as_good_as_the_number(bodies, predicted, dtype):
    affinities = predicted(bodies, offsets=ISOTROPIC)
    affinities = (affinities * 255).round().astype(dtype) if dtype == np.uint8 else affinities
    nearest, means = affinities[:3], mean_affinity(affinities[:3])
    low, high = threshold_of("5%", nearest, "low"), threshold_of("95%", nearest, "high")
    boundary = threshold_of("30%", means, "boundary_threshold")
    assert 0.01 < low < boundary < high < 1
    np.testing.assert_array_equal(
        fragments_watershed(affinities, ISOTROPIC, low="5%", high="95%"),
        fragments_watershed(affinities, ISOTROPIC, low=low, high=high),
    )
    np.testing.assert_array_equal(
        fragments_distance(nearest, NEAREST, voxel_size_nm=SIZE_NM, boundary_threshold="30%", low="5%"),
        fragments_distance(nearest, NEAREST, voxel_size_nm=SIZE_NM, boundary_threshold=boundary, low=low),
    )
    for fragments in ("watershed", "distance"):
        np.testing.assert_array_equal(
            affinities_to_labels(
                affinities, ISOTROPIC, fragments=fragments, low="5%", high="95%", boundary_threshold="30%"
            ),
            affinities_to_labels(
                affinities, ISOTROPIC, fragments=fragments, low=low, high=high, boundary_threshold=boundary
            ),
        )
    np.testing.assert_array_equal(
        affinities_to_labels(affinities, ISOTROPIC, method="mutex", low="5%"),
        affinities_to_labels(affinities, ISOTROPIC, method="mutex", low=low),
    )


def test_a_high_percentile_below_low_is_low(random_affinities):
    affinities = random_affinities(0)
    np.testing.assert_array_equal(
        fragments_watershed(affinities, NEAREST, low=0.9, high="10%"),
        fragments_watershed(affinities, NEAREST, low=0.9, high=0.9),
    )
