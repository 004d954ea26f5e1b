from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sectome.volumes.indexing import split_index

SHAPE = (5, 7, 11)
ARRAY = np.arange(np.prod(SHAPE)).reshape(SHAPE)


@st.composite
def _keys(draw):
    items = [
        draw(st.one_of(st.slices(extent), st.integers(-extent, extent - 1)))
        for extent in SHAPE[: draw(st.integers(0, 3))]
    ]
    return (*items, ...) if draw(st.booleans()) else tuple(items)


@given(_keys())
def test_reading_the_box_and_indexing_it_equals_numpy(key):
    box, after = split_index(key, SHAPE)
    assert all(part.step >= 1 and 0 <= part.start <= part.stop <= n for part, n in zip(box, SHAPE, strict=True))
    np.testing.assert_array_equal(ARRAY[box][after], ARRAY[key])


def test_an_ellipsis_in_front_selects_the_last_axes():
    box, after = split_index((..., 3), SHAPE)
    np.testing.assert_array_equal(ARRAY[box][after], ARRAY[..., 3])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (5, "expected an index below 5, got 5"),
        ((0, -8), "expected an index below 7, got -8"),
        ((0, 0, 0, 0), "expected at most three indices"),
        ((..., 0, ...), "expected at most three indices"),
        ([0, 1], "expected integers and slices"),
        (None, "expected integers and slices"),
        (True, "expected integers and slices"),
        (1.0, "expected integers and slices"),
    ],
)
def test_other_indices_are_refused(key, message):
    with pytest.raises(IndexError, match=message):
        split_index(key, SHAPE)
