"""Borders: golden rows, background and unlabelled voxels, and a slow twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import ErodeBordersd, erode_borders


def reference_erode_once(labels: np.ndarray) -> np.ndarray:
    eroded = labels.copy()
    for place in np.ndindex(*labels.shape):
        for axis in range(3):
            for step in (-1, 1):
                other = list(place)
                other[axis] += step
                inside = 0 <= other[axis] < labels.shape[axis]
                if inside and labels[place] > 0 and labels[tuple(other)] not in (labels[place], -1):
                    eroded[place] = 0
    return eroded


def test_a_row_by_hand():
    row = torch.tensor([[[1, 1, 1, 2, 2, 2, 2, 0, 3, 3]]])
    assert erode_borders(row, 1).tolist() == [[[1, 1, 0, 0, 2, 2, 0, 0, 0, 3]]]
    assert erode_borders(row, 2).tolist() == [[[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]]]
    assert torch.equal(erode_borders(row, 0), row)


def test_unlabelled_voxels_stay_and_erode_nothing():
    row = torch.tensor([[[1, 1, -1, -1, 2, 2]]])
    assert torch.equal(erode_borders(row, 2), row)


def test_it_equals_the_slow_twin_on_an_asymmetric_volume():
    labels = np.random.default_rng(0).integers(-1, 4, (4, 5, 7)).repeat(2, axis=1)
    assert np.array_equal(erode_borders(torch.from_numpy(labels)).numpy(), reference_erode_once(labels))


def test_in_plane_looks_at_no_other_section():
    labels = torch.ones(2, 3, 3, dtype=torch.int64)
    labels[1] = 2
    assert torch.equal(erode_borders(labels, 1, in_plane=True), labels)
    assert not erode_borders(labels, 1).any()


def test_the_dictionary_version_changes_its_keys_only_and_not_the_input():
    labels = torch.tensor([[[[1, 2]]]])
    result = ErodeBordersd("label")({"label": labels, "image": labels})
    assert result["label"].tolist() == [[[[0, 0]]]]
    assert result["image"] is labels
    assert labels.tolist() == [[[[1, 2]]]]


@pytest.mark.parametrize("steps", [-1, 1.5, "few"])
def test_steps_that_are_no_count_are_refused_before_any_crop_is_read(steps):
    with pytest.raises(InputError, match=f"steps must be a whole number of at least 0, got {steps!r}"):
        erode_borders(torch.zeros(1, 1, 1), steps)
    with pytest.raises(InputError, match=f"steps must be a whole number of at least 0, got {steps!r}"):
        ErodeBordersd("label", steps)


def test_steps_may_be_a_whole_number_of_numpy():
    row = torch.tensor([[[1, 1, 1, 2, 2, 2]]])
    for steps in np.arange(3):
        assert torch.equal(erode_borders(row, steps), erode_borders(row, int(steps)))
        assert type(ErodeBordersd("label", steps).transform.steps) is int
