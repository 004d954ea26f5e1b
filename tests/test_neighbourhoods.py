"""Offsets: named once, backwards, nearest first, and checked."""

from __future__ import annotations

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.neighbourhoods import ISOTROPIC, LONG_RANGE, NEAREST, check_offsets


@pytest.mark.parametrize("offsets", [NEAREST, LONG_RANGE, ISOTROPIC])
def test_named_offsets_point_backwards_along_one_axis_with_the_nearest_first(offsets):
    assert offsets[:3] == ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
    for offset in offsets:
        assert sum(step < 0 for step in offset) == 1
        assert sum(step == 0 for step in offset) == 2
    assert check_offsets(offsets) == offsets


def test_the_offsets_of_lee_2017_are_twelve():
    assert len(LONG_RANGE) == 12
    assert LONG_RANGE[-1] == (0, 0, -27)


def test_offsets_from_a_config_become_tuples():
    assert check_offsets([[-1, 0, 0], [0, 3, -2]]) == ((-1, 0, 0), (0, 3, -2))
    assert check_offsets(np.array([[-1, 0, 0], [0, 3, -2.0]])) == ((-1, 0, 0), (0, 3, -2))


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([], "at least one"),
        ([(-1, 0)], r"3 parts \(z, y, x\), got \[-1, 0\]"),
        ([(0, 0, 0)], "no affinity with itself"),
        ([(-1, 0, 0), [-1, 0, 0]], r"given once, got \(-1, 0, 0\) twice"),
        ((-1, 0, 0), r"list of whole steps \[\[z, y, x\], ...\], got \(-1, 0, 0\)"),
        ([(-1, 0, 0), (0, -1.5, 0)], "list of whole steps"),
        ([(-1, 0, "x")], "list of whole steps"),
        ([(-1, 0, float("inf"))], "list of whole steps"),
        (5, "list of whole steps .*, got 5"),
    ],
)
def test_unusable_offsets_are_refused(offsets, message):
    with pytest.raises(InputError, match=message):
        check_offsets(offsets)
