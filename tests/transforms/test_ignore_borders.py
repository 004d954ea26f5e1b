"""Borders that no loss sees: a golden row, a slow twin, and thick sections."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import IgnoreBorders, IgnoreBordersd, ignore_borders


def reference_ignore(labels: np.ndarray, steps: int) -> np.ndarray:
    result = labels.copy()
    for here in np.ndindex(*labels.shape):
        window = labels[tuple(slice(max(0, at - steps), at + steps + 1) for at in here)]
        if len(np.unique(window[window >= 0])) > 1:
            result[here] = -1
    return result


def test_a_row_by_hand():
    row = torch.tensor([[[1, 1, 1, 2, 2, 2, -1, 3, 3, 0]]])
    assert ignore_borders(row).tolist() == [[[1, 1, -1, -1, 2, 2, -1, 3, -1, -1]]]
    assert torch.equal(ignore_borders(row, 0), row)


@pytest.mark.parametrize("steps", [1, 2])
def test_it_equals_the_slow_twin(steps):
    labels = np.random.default_rng(0).integers(-1, 4, (3, 3, 4)).repeat(4, axis=1).repeat(4, axis=2)
    result = IgnoreBorders(steps)(torch.from_numpy(labels))
    assert np.array_equal(result.numpy(), reference_ignore(labels, steps))


def test_in_plane_looks_at_no_other_section():
    labels = torch.ones(1, 2, 3, 3, dtype=torch.int16)
    labels[0, 1] = 2
    assert torch.equal(IgnoreBordersd("label", in_plane=True)({"label": labels})["label"], labels)
    assert (IgnoreBordersd("label")({"label": labels})["label"] == -1).all()


@pytest.mark.parametrize("steps", [-1, 0.5])
def test_steps_that_are_none_are_refused(steps):
    with pytest.raises(InputError, match=f"steps must be a whole number of at least 0, got {steps}"):
        IgnoreBorders(steps)
