"""Missing sections: what stands in their place, and that all others stay."""

from __future__ import annotations

import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import MissingSection, missing_sections


def test_missing_sections_by_hand():
    images = torch.arange(1.0, 5)[None, None, :, None, None].expand(1, 2, 4, 1, 1)
    result = missing_sections(images, torch.tensor([[1, 3]]), torch.tensor([[-1, 2]]), torch.tensor([[-9.0, 7]]))
    assert result[0, :, :, 0, 0].tolist() == [[1, -9, 3, 3]] * 2


@pytest.mark.parametrize("fill", ["flat", "neighbour", "either"])
def test_a_lost_section_is_flat_or_its_nearest_intact_one(fill):
    image = torch.arange(8.0)[None, :, None, None].expand(1, 8, 3, 3)
    transform = MissingSection(fill, grey=(-3, -2), max_sections=3, prob=1.0).set_random_state(seed=0)
    kinds = set()
    for _ in range(40):
        after = transform(image)[0, :, 0, 0]
        lost = set(transform.parameters["sections"].tolist())
        for z in range(8):
            if z not in lost:
                assert after[z] == z
            elif after[z] < 0:
                assert -3 <= after[z] <= -2
                kinds.add("flat")
            else:
                assert int(after[z]) not in lost
                assert abs(after[z] - z) == min(abs(other - z) for other in set(range(8)) - lost)
                kinds.add("neighbour")
    assert kinds == ({"flat", "neighbour"} if fill == "either" else {fill})


def test_a_crop_of_one_section_has_no_neighbour_and_becomes_flat():
    after = MissingSection("neighbour", grey=(-1, -1), prob=1.0)(torch.ones(1, 1, 3, 3))
    assert torch.equal(after, -torch.ones(1, 1, 3, 3))


def test_options_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"fill must be one of 'flat', 'neighbour', 'either', got 'zero'"):
        MissingSection("zero")
    with pytest.raises(InputError, match=r"max_sections must be a whole number of at least 1, got 0"):
        MissingSection(max_sections=0)
