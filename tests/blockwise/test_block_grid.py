"""Blocks cover a volume once, and know their neighbours."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sectome.blockwise import BlockGrid
from sectome.blockwise.block_grid import inside

GRID = BlockGrid((5, 7, 9), (2, 3, 4))


def test_blocks_are_numbered_along_x_first_and_the_last_ones_hold_what_there_is():
    assert GRID.counts == (3, 3, 3)
    assert len(GRID) == 27
    assert GRID.place(5) == (0, 1, 2)
    assert GRID.number((0, 1, 2)) == 5
    assert GRID.core(26) == (slice(4, 5), slice(6, 7), slice(8, 9))


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    block=st.tuples(*[st.integers(1, 5)] * 3),
)
def test_cores_cover_every_voxel_once(shape, block):
    grid = BlockGrid(shape, block)
    covered = np.zeros(shape, int)
    for number in range(len(grid)):
        covered[grid.core(number)] += 1
        assert grid.number(grid.place(number)) == number
    assert np.all(covered == 1)


def test_context_ends_with_the_volume():
    assert GRID.with_context(0, (1, 1, 1), (1, 2, 9)) == (slice(0, 3), slice(0, 5), slice(0, 9))
    assert GRID.with_context(13, (1, 1, 1), (0, 0, 0)) == (slice(1, 4), slice(2, 6), slice(3, 8))


def test_a_box_is_divided_between_the_blocks_that_it_reaches_into():
    box = (slice(1, 4), slice(2, 3), slice(3, 9))
    parts = GRID.touching(box)
    covered = np.zeros(GRID.shape, int)
    for number, part in parts:
        covered[part] += 1
        core = GRID.core(number)
        assert all(own.start <= one.start < one.stop <= own.stop for own, one in zip(core, part, strict=True))
    assert np.all(covered[box] == 1)
    assert covered.sum() == 3 * 1 * 6
    assert inside(parts[0][1], box) == (slice(0, 1), slice(0, 1), slice(0, 1))
