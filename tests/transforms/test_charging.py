"""Charging: bright clouds, with their tail along the scan."""

from __future__ import annotations

import math

import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import Charging, add_charging


def one_cloud(tail, rows=None):
    return add_charging(
        torch.zeros(1, 1, 1, 9, 21),
        middles=torch.tensor([[[[4.0, 10.0]]]]),
        sizes=torch.tensor([[[2.0]]]),
        tails=torch.tensor([[[tail]]]),
        strengths=torch.tensor([[[3.0]]]),
        rows=torch.ones(1, 1, 9) if rows is None else rows,
    )[0, 0, 0]


def test_a_cloud_by_hand():
    cloud = one_cloud(6.0)
    assert cloud[4, 10] == pytest.approx(3)
    assert cloud[2, 10] == pytest.approx(3 * math.exp(-0.5))
    assert cloud[6, 10] == pytest.approx(3 * math.exp(-0.5))
    assert cloud[4, 8] == pytest.approx(3 * math.exp(-0.5))
    assert cloud[4, 16] == pytest.approx(3 * math.exp(-0.5))
    assert cloud[6, 16] == pytest.approx(3 * math.exp(-1))


def test_a_negative_tail_runs_the_other_way():
    torch.testing.assert_close(one_cloud(-6.0), one_cloud(6.0).flip(-1))


def test_each_line_of_the_scan_has_its_own_strength():
    rows = torch.linspace(0.5, 1.5, 9)
    torch.testing.assert_close(one_cloud(6.0, rows[None, None]), one_cloud(6.0) * rows[:, None])


def test_clouds_add_up_in_all_channels():
    def charged(strengths):
        return add_charging(
            torch.ones(1, 3, 1, 8, 8),
            middles=torch.tensor([[[[2.0, 3.0], [5.0, 6.0]]]]),
            sizes=torch.tensor([[[2.0, 3.0]]]),
            tails=torch.tensor([[[4.0, 5.0]]]),
            strengths=torch.tensor([[strengths]]),
            rows=torch.ones(1, 1, 8),
        )

    both, first, second = charged([1.0, 2.0]), charged([1.0, 0.0]), charged([0.0, 2.0])
    torch.testing.assert_close(both, first + second - 1)
    assert torch.equal(both[:, 0], both[:, 2])


def test_one_to_the_most_clouds_are_drawn_and_they_trail_both_ways():
    transform = Charging(max_count=3, prob=1.0).set_random_state(seed=0)
    counts, ways = set(), set()
    for _ in range(40):
        transform.randomize((1, 2, 20, 20))
        counts.add(int((transform.parameters["strengths"] > 0).sum()))
        ways |= set(torch.as_tensor(transform.parameters["tails"]).sign().flatten().tolist())
    assert counts == {1, 2, 3}
    assert ways == {-1, 1}


def test_sections_that_are_not_chosen_are_bit_identical():
    crop = torch.randn(1, 6, 20, 30, generator=torch.Generator().manual_seed(0))
    transform = Charging(max_sections=2, prob=1.0).set_random_state(seed=0)
    for _ in range(10):
        result = transform(crop)
        chosen = transform.parameters["sections"].tolist()
        for section in range(6):
            assert torch.equal(result[:, section], crop[:, section]) == (section not in chosen)
            if section in chosen:
                assert result[:, section].mean() > crop[:, section].mean()


def test_options_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"max_count must be a whole number of at least 1, got 0"):
        Charging(max_count=0)
    with pytest.raises(InputError, match=r"strength must be a range \(low, high\) within 0\.01 and 100\.0"):
        Charging(strength=(0, 1))
