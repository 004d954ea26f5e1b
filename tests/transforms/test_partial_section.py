"""Partial sections: one side of a line is empty, the other as it was."""

from __future__ import annotations

import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import PartialSection, partial_section


@pytest.fixture
def crop():
    return torch.rand(2, 6, 20, 30, generator=torch.Generator().manual_seed(0)) + 1


def test_a_partial_section_by_hand():
    sections = torch.tensor([[1.0, 2, 3], [4, 5, 6]]).expand(1, 2, 1, 2, 3)
    distance = torch.tensor([[-1.0, 0, 1], [-2, -0.5, 0]])[None, None]
    assert partial_section(sections, distance, torch.full((1, 1), 9.0))[0, 1, 0].tolist() == [[9, 2, 3], [9, 9, 6]]


def test_both_parts_are_there_and_the_rest_is_bit_identical(crop):
    transform = PartialSection(fraction=(0.3, 0.6), grey=(0, 0), max_sections=2, prob=1.0).set_random_state(seed=0)
    for _ in range(20):
        result = transform(crop)
        chosen = set(transform.parameters["sections"].tolist())
        for section in range(6):
            empty = result[:, section] == 0
            assert torch.equal(empty[0], empty[1])
            assert torch.equal(result[:, section][~empty], crop[:, section][~empty])
            assert bool(empty.any()) == (section in chosen)
            assert not empty.all()


def test_a_straight_line_takes_the_fraction_of_the_section():
    transform = PartialSection(fraction=(0.5, 0.5), waviness=0.0, grey=(-3, -3), prob=1.0).set_random_state(seed=0)
    for _ in range(10):
        missing = transform(torch.ones(1, 1, 64, 64)) == -3
        assert missing.float().mean() == pytest.approx(0.5, abs=0.02)


def test_options_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"fraction must allow for a missing part, got \(0\.0, 0\.0\)"):
        PartialSection(fraction=(0, 0))
    with pytest.raises(InputError, match=r"waviness must be a number of at least 0, got -1"):
        PartialSection(waviness=-1)
    with pytest.raises(InputError, match=r"max_sections must be a whole number of at least 1, got 0"):
        PartialSection(max_sections=0)
