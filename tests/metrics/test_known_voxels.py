"""Which voxels a truth says something of."""

from __future__ import annotations

import numpy as np
import pytest

from sectome.metrics import known_voxels


@pytest.mark.parametrize(
    ("dtype", "known"),
    [(">u8", [True, True, False, False]), ("<u8", [True, True, False, False]), (">i8", [True, True, False, False])],
)
def test_what_is_not_known_is_told_in_either_byte_order(dtype, known):
    ids = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], np.uint64).astype(dtype)
    assert known_voxels(ids).tolist() == known


def test_of_narrow_unsigned_ids_all_are_known():
    assert known_voxels(np.array([0, 255], np.uint8)).all()
