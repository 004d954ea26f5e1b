from __future__ import annotations

import numpy as np
import pytest

from sectome.geometry import ORIGIN, Placement
from sectome.volumes.attributes import attributes_of, placement_from_attributes

from .conftest import OFFSET, VOXEL_SIZE


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
    assert placement_from_attributes(attributes).voxel_size_nm == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"offset_nm": [300, -36, 48]}, OFFSET),
        ({"offset": np.array([300.0, -36.0, 48.0])}, OFFSET),
        ({"offset": [0.3, -0.036, 0.048], "units": "um"}, OFFSET),
        ({"offset": [300, -36, 48], "units": ["px"] * 3}, ORIGIN),
        ({"offset": [300, -36]}, ORIGIN),
        ({"offset": [300, -36, float("nan")]}, ORIGIN),
        ({"offset": "far away"}, ORIGIN),
        ({"offset": [1234567.5, 0, 0]}, (1234567.5, 0, 0)),
        ({}, ORIGIN),
    ],
)
def test_offsets_are_read_in_the_units_of_the_dataset(attributes, expected):
    assert placement_from_attributes(attributes).offset_nm == expected


def test_what_is_written_is_read():
    placement = Placement(VOXEL_SIZE, OFFSET)
    assert placement_from_attributes(attributes_of(placement)) == placement
    assert attributes_of(Placement()) == {}
