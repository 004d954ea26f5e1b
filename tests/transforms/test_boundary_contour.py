"""Foreground and contours: a golden square, what is unknown, and a slow twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import BoundaryContour, BoundaryContourd, boundary_contour


def reference_contour(labels: np.ndarray, width: int, in_plane: bool) -> tuple[np.ndarray, np.ndarray]:
    targets, valid = np.zeros((2, *labels.shape), np.uint8), np.zeros((2, *labels.shape), np.uint8)
    for here in np.ndindex(*labels.shape):
        ids = set()
        for there in np.ndindex(*labels.shape):
            away = [abs(a - b) for a, b in zip(here, there, strict=True)]
            if max(away) <= width and not (in_plane and away[0]):
                ids.add(int(labels[there]))
        known = ids - {-1}
        if labels[here] >= 0:
            targets[(0, *here)] = labels[here] > 0
            targets[(1, *here)] = len(known) > 1
            valid[(0, *here)] = 1
            valid[(1, *here)] = len(known) > 1 or -1 not in ids
    return targets, valid


def test_a_section_by_hand():
    labels = torch.tensor([[[0, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 2, 2]]])
    (foreground, contour), valid = boundary_contour(labels)
    assert foreground.tolist() == [[[0, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]]
    assert contour.tolist() == [[[0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1]]]
    assert valid.all()


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("in_plane", [False, True])
def test_it_equals_the_slow_twin(width, in_plane):
    labels = np.random.default_rng(0).integers(-1, 3, (3, 2, 3)).repeat(3, axis=1).repeat(3, axis=2)
    for result, expected in zip(
        boundary_contour(torch.from_numpy(labels), width, in_plane),
        reference_contour(labels, width, in_plane),
        strict=True,
    ):
        assert result.dtype == torch.uint8
        assert np.array_equal(result.numpy(), expected)


def test_the_transform_stacks_and_the_dictionary_version_writes_two_keys():
    labels = torch.from_numpy(np.random.default_rng(0).integers(-1, 3, (1, 3, 6, 6)))
    stacked = BoundaryContour(2, in_plane=False)(labels)
    assert stacked.shape == (4, 3, 6, 6)
    result = BoundaryContourd("label", width_voxels=2, in_plane=False)({"label": labels})
    assert sorted(result) == ["label", "label_contour", "label_contour_valid"]
    assert torch.equal(torch.cat([result["label_contour"], result["label_contour_valid"]]), stacked)


@pytest.mark.parametrize("width", [0, 1.9])
def test_a_width_that_is_no_whole_number_from_1_on_is_refused(width):
    with pytest.raises(InputError, match=f"width_voxels must be a whole number of at least 1, got {width}"):
        BoundaryContour(width)
