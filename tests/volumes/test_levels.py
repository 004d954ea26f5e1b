from __future__ import annotations

import pytest

from sectome.checks import InputError
from sectome.volumes.levels import Level, choose_level

LEVELS = [
    Level("coarse", (4, 4, 4), (30, 24, 24)),
    Level("fine", (4, 16, 16), (30, 6, 6)),
    Level("middle", (4, 8, 8), (30, 12, 12)),
]


@pytest.mark.parametrize(
    ("near", "expected"),
    [
        (None, "fine"),
        ((1, 1, 1), "fine"),
        ((30, 10, 10), "middle"),
        ((40, 13, 12), "middle"),
        ((500, 500, 500), "coarse"),
        ((30, (6 * 12) ** 0.5, (6 * 12) ** 0.5), "fine"),
    ],
)
def test_the_nearest_level_is_taken_and_of_two_the_finer(near, expected):
    assert choose_level(LEVELS, near, "a.zarr").dataset == expected


def test_without_voxel_sizes_the_first_level_is_taken_and_none_can_be_asked_for():
    levels = [Level("s0", (4, 4, 4), None), Level("s1", (2, 2, 2), None)]
    assert choose_level(levels, None, "a.zarr").dataset == "s0"
    with pytest.raises(InputError, match=r"expected levels with voxel sizes, .* got a\.zarr, .* one of s0, s1"):
        choose_level(levels, (30, 6, 6), "a.zarr")
