"""Contrast of sections: exact gain and offset, on the drawn sections alone."""

from __future__ import annotations

import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import SectionContrast, change_section_contrast


def test_gain_and_offset_by_hand():
    sections = torch.tensor([1.0, -2.0]).reshape(1, 1, 2, 1, 1).expand(2, 3, 2, 1, 2)
    gain = torch.tensor([[2.0, 1.0], [0.5, 3.0]])
    offset = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    changed = change_section_contrast(sections, gain, offset)
    assert changed.shape == sections.shape
    assert changed[:, 2, :, 0, 1].tolist() == [[2, -1], [-0.5, -6]]


def test_each_chosen_section_has_its_own_and_the_others_are_bit_identical():
    crop = torch.randn(1, 8, 5, 7, generator=torch.Generator().manual_seed(0))
    transform = SectionContrast(max_sections=3, prob=1.0).set_random_state(seed=1)
    counts = set()
    for _ in range(20):
        result = transform(crop)
        drawn = transform.parameters
        own = {one: (gain, offset) for one, gain, offset in zip(*drawn.values(), strict=True)}
        counts.add(len(own))
        for section in range(8):
            gain, offset = own.get(section, (1.0, 0.0))
            torch.testing.assert_close(result[:, section], crop[:, section] * gain + offset)
            assert torch.equal(result[:, section], crop[:, section]) == (section not in own)
    assert counts == {1, 2, 3}


def test_ranges_that_allow_for_nothing_are_refused():
    with pytest.raises(InputError, match=r"gain or offset must allow for a change, got \(1, 1\) and \(0, 0\)"):
        SectionContrast(gain=(1, 1), offset=(0, 0))
    with pytest.raises(
        InputError, match=r"gain must be a range \(low, high\) within 0\.01 and 100\.0, got \(0\.0, 1\.0\)"
    ):
        SectionContrast(gain=(0, 1))
