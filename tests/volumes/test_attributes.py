from __future__ import annotations

import numpy as np
import pytest

from sectome.volumes.attributes import attributes_of, voxel_size_from_attributes

from .conftest import VOXEL_SIZE


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"voxel_size_nm": [30, 6, 8]}, VOXEL_SIZE),
        ({"voxel_size_nm_zyx": np.array([30, 6, 8])}, VOXEL_SIZE),
        ({"voxel_size": [30, 6, 8]}, VOXEL_SIZE),
        ({"voxel_size": [30, 6, 8], "units": ["nm", "nm", "nm"]}, VOXEL_SIZE),
        ({"resolution": [0.03, 0.006, 0.008], "units": np.array([b"um", b"um", b"um"])}, VOXEL_SIZE),
        ({"resolution": [30, 6, 8], "units": ["nm", "nm", "px"]}, None),
        ({"resolution": [30, 6, 0]}, None),
        ({"resolution": [30, 6, float("nan")]}, None),
        ({"resolution": [[30, 6, 8]]}, None),
        ({"resolution": 8}, None),
        ({"resolution": None}, None),
    ],
)
def test_known_attributes_give_nm(attributes, expected):
    assert voxel_size_from_attributes(attributes) == expected


def test_what_is_written_is_read():
    assert voxel_size_from_attributes(attributes_of(VOXEL_SIZE)) == VOXEL_SIZE
    assert attributes_of(None) == {}
