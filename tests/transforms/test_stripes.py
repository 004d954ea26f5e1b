"""Stripes: where they lie, how wide and how strong they are."""

from __future__ import annotations

import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import Stripes, add_stripes


def test_stripes_along_y_by_hand():
    sections = torch.ones(1, 2, 1, 3, 12)
    striped = add_stripes(
        sections,
        normal=torch.tensor([[[0.0, 1.0]]]),
        period=torch.tensor([[6.0]]),
        width=torch.tensor([[2.0]]),
        places=torch.tensor([[[0.5, 1 / 3]]]),
        strengths=torch.tensor([[[1.0, -2.0]]]),
    )
    # Middles at 3 and at 6 + 2; half the strength a voxel beside them, nothing two voxels away.
    expected = torch.tensor([0, 0, 0.5, 1, 0.5, 0, 0, -1, -2, -1, 0, 0]) + 1
    torch.testing.assert_close(striped, expected.expand(1, 2, 1, 3, 12))


def test_stripes_along_x_repeat_when_there_are_more_than_drawn():
    striped = add_stripes(
        torch.zeros(1, 1, 1, 12, 2),
        normal=torch.tensor([[[1.0, 0.0]]]),
        period=torch.tensor([[4.0]]),
        width=torch.tensor([[1.0]]),
        places=torch.tensor([[[0.5]]]),
        strengths=torch.tensor([[[3.0]]]),
    )
    torch.testing.assert_close(striped[0, 0, 0, :, 0], torch.tensor([0.0, 0, 3, 0] * 3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
def test_stripes_run_at_their_angle_against_the_y_axis(angle):
    transform = Stripes(period_voxels=(20, 20), width_voxels=(6, 6), angle_degrees=(angle, angle), prob=1.0)
    result = transform.set_random_state(seed=0)(torch.zeros(1, 1, 80, 80))[0, 0]
    gradient_y, gradient_x = torch.gradient(result)
    across = torch.tensor(angle).deg2rad()
    along = gradient_x * torch.sin(across) - gradient_y * torch.cos(across)
    assert along.square().mean() < 0.01 * (gradient_x.square() + gradient_y.square()).mean()


def test_no_stripe_is_stronger_than_allowed_and_both_signs_occur():
    transform = Stripes(strength=(1.0, 1.0), prob=1.0).set_random_state(seed=0)
    result = torch.cat([transform(torch.zeros(1, 1, 90, 90)) for _ in range(5)])
    assert 0.8 < result.max() <= 1
    assert -1 <= result.min() < -0.8


def test_sections_that_are_not_chosen_are_bit_identical():
    crop = torch.randn(1, 6, 60, 50, generator=torch.Generator().manual_seed(0))
    transform = Stripes(max_sections=2, prob=1.0).set_random_state(seed=0)
    for _ in range(10):
        result = transform(crop)
        chosen = transform.parameters["sections"].tolist()
        for section in range(6):
            assert torch.equal(result[:, section], crop[:, section]) == (section not in chosen)


def test_stripes_that_would_overlap_are_refused():
    with pytest.raises(
        InputError, match=r"period_voxels must be at least three times width_voxels, got \(5\.0, 9\.0\)"
    ):
        Stripes(period_voxels=(5, 9), width_voxels=(1, 2))
