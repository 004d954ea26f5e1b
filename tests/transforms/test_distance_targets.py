"""Distances: golden rows on anisotropic voxels, all scalings, what is unknown, and a slow twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import DistanceTargets, DistanceTargetsd, distance_targets

SIZE_NM = (30.0, 6.0, 4.0)


def reference_distance(labels: np.ndarray, per_section: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance in nm to the nearest voxel of another id or an unlabelled one, by looking at each."""
    distances, valid = np.zeros(labels.shape), np.zeros(labels.shape, np.uint8)
    places = np.argwhere(np.ones(labels.shape, bool))
    for here in np.ndindex(*labels.shape):
        if labels[here] < 0:
            continue
        others = places[(labels != labels[here]).ravel()]
        others = others[others[:, 0] == here[0]] if per_section else others
        if not len(others):
            distances[here] = np.linalg.norm(np.multiply(labels.shape, SIZE_NM))
            continue
        away = np.linalg.norm((others - here) * SIZE_NM, axis=1)
        unknown = labels[tuple(others.T)] < 0
        distances[here] = away.min()
        valid[here] = away.min() < away[unknown].min(initial=np.inf)
    return distances * np.where(labels > 0, 1, -1), valid


def test_a_row_by_hand():
    row = torch.tensor([[[0, 0, 5, 5, 5, 2]]])
    distances, valid = distance_targets(row, SIZE_NM, "nm")
    assert distances.tolist() == [[[[-8, -4, 4, 8, 4, 4]]]]
    assert valid.all()
    assert distance_targets(row, SIZE_NM, "nm", signed=False)[0].tolist() == [[[[0, 0, 4, 8, 4, 4]]]]
    assert distance_targets(row, SIZE_NM, "object")[0].tolist() == [[[[-1, -0.5, 0.5, 1, 0.5, 1]]]]
    torch.testing.assert_close(distance_targets(row, SIZE_NM, "tanh", 8.0)[0], (distances / 8).tanh())


def test_what_an_unlabelled_voxel_may_be_is_not_known():
    row = torch.tensor([[[-1, 5, 5, 5, 2, 2]]])
    distances, valid = distance_targets(row, SIZE_NM, "nm")
    assert distances.tolist() == [[[[0, 4, 8, 4, 4, 8]]]]
    assert valid.tolist() == [[[[0, 0, 0, 1, 1, 1]]]]


@pytest.mark.parametrize("per_section", [False, True])
@pytest.mark.parametrize("low", [-1, 0])
def test_it_equals_the_slow_twin(per_section, low):
    labels = np.random.default_rng(1).integers(low, 4, (3, 3, 4)).repeat(3, axis=1).repeat(4, axis=2)
    labels[2] = 1
    distances, valid = distance_targets(torch.from_numpy(labels), SIZE_NM, "nm", per_section=per_section)
    expected, expected_valid = reference_distance(labels, per_section)
    np.testing.assert_allclose(distances[0].numpy(), expected, rtol=1e-5)
    assert np.array_equal(valid[0].numpy(), expected_valid)


@pytest.mark.parametrize("per_section", [False, True])
def test_the_middle_of_each_object_is_1_by_object(per_section):
    labels = np.random.default_rng(1).integers(1, 4, (2, 2, 3)).repeat(5, axis=1).repeat(5, axis=2)
    distances, _ = distance_targets(torch.from_numpy(labels), SIZE_NM, "object", per_section=per_section)
    for section, numbers in zip(distances[0].numpy(), labels, strict=True):
        for number in np.unique(numbers) if per_section else ():
            assert section[numbers == number].max() == 1
    assert 0 < distances.min() < distances.max() == 1


def test_the_transform_stacks_and_the_dictionary_version_writes_two_keys():
    labels = torch.from_numpy(np.random.default_rng(0).integers(-1, 3, (1, 3, 6, 6)))
    stacked = DistanceTargets(SIZE_NM)(labels)
    assert (stacked.shape, stacked.dtype) == ((2, 3, 6, 6), torch.float32)
    result = DistanceTargetsd("label", voxel_size_nm=SIZE_NM)({"label": labels})
    assert sorted(result) == ["label", "label_distance", "label_distance_valid"]
    assert result["label_distance_valid"].dtype == torch.uint8
    assert torch.equal(torch.cat([result["label_distance"], result["label_distance_valid"]]), stacked)
    assert stacked[0].abs().max() < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voxel_size_nm": (30, 6)}, "voxel_size_nm must be three positive numbers"),
        ({"scaling": "log"}, "scaling must be one of 'tanh', 'object', 'nm', got 'log'"),
        ({"scale_nm": 0}, r"scale_nm must be a number of at least 0\.001, got 0"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        DistanceTargets(**{"voxel_size_nm": SIZE_NM, **options})
