"""Contrast, gamma, noise and cut-outs: what they do to grey values, in numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import (
    Contrast,
    CutOut,
    Gamma,
    GaussianNoise,
    SectionBlur,
    ShotNoise,
    add_gaussian_noise,
    add_shot_noise,
    bend_grey_values,
    change_contrast,
    cut_out,
)

SEEDS = torch.tensor([3, 4])


def test_contrast_is_gain_and_offset_of_each_crop():
    images = torch.tensor([1.0, 2.0])[:, None, None, None, None].expand(2, 1, 1, 2, 2)
    changed = change_contrast(images, torch.tensor([2.0, 0.5]), torch.tensor([-1.0, 3.0]))
    assert changed[:, 0, 0, 0, 0].tolist() == [1, 4]


def test_gamma_keeps_the_ends_and_bends_the_middle():
    images = torch.tensor([-1.0, 0.0, 3.0])[None, None, None, None].expand(2, 1, 1, 1, 3)
    bent = bend_grey_values(images, torch.tensor([2.0, 0.5]))
    torch.testing.assert_close(bent[0].flatten(), torch.tensor([-1, 4 * 0.25**2 - 1, 3]))
    torch.testing.assert_close(bent[1].flatten(), torch.tensor([-1, 4 * 0.25**0.5 - 1, 3]))
    assert torch.equal(bend_grey_values(torch.ones(2, 1, 1, 2, 2), torch.tensor([2.0, 3.0])), torch.ones(2, 1, 1, 2, 2))


def test_gaussian_noise_has_the_deviation_that_was_drawn():
    noise = add_gaussian_noise(torch.zeros(2, 1, 8, 64, 64), torch.tensor([0.5, 2.0]), SEEDS)
    assert noise.mean(dim=(1, 2, 3, 4)).abs().max() < 0.05
    assert noise.std(dim=(1, 2, 3, 4)).tolist() == pytest.approx([0.5, 2.0], rel=0.03)


def test_shot_noise_grows_as_the_root_of_brightness():
    steps = torch.tensor([0.0, 1.0, 4.0]).repeat_interleave(4096).reshape(1, 1, 3, 64, 64)
    noise = add_shot_noise(steps - 1, torch.tensor([0.3]), SEEDS[:1]) - (steps - 1)
    dark, middle, bright = noise[0, 0].std(dim=(1, 2)).tolist()
    assert dark == 0
    assert bright / middle == pytest.approx(2, rel=0.05)
    assert middle == pytest.approx(0.3 * (1 / (5 / 3)) ** 0.5, rel=0.05)


def test_cut_out_hides_cuboids_and_nothing_else():
    starts, stops = torch.tensor([[[0, 1, 2], [1, 0, 0]]]), torch.tensor([[[1, 3, 4], [2, 1, 1]]])
    hidden = cut_out(torch.ones(1, 2, 2, 4, 5), starts, stops)[0] == 0
    expected = torch.zeros(2, 4, 5, dtype=torch.bool)
    expected[0:1, 1:3, 2:4] = expected[1:2, 0:1, 0:1] = True
    assert torch.equal(hidden[0], expected)
    assert torch.equal(hidden[1], expected)


def test_cut_outs_are_as_large_as_the_options_say():
    transform = CutOut(1, (4, 8, 8), prob=1.0).set_random_state(seed=0)
    sizes = []
    for _ in range(100):
        places = (transform(torch.ones(1, 12, 40, 40))[0] == 0).nonzero()
        sizes.append((places.max(dim=0).values - places.min(dim=0).values + 1).tolist())
    assert np.max(sizes, axis=0).tolist() <= [4, 8, 8]
    assert np.min(sizes) >= 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Contrast((1, 1), (0, 0)), r"gain or offset must allow for a change"),
        (lambda: Contrast((0, 1)), r"gain must be a range \(low, high\) within 0\.01 and 100\.0, got \(0\.0, 1\.0\)"),
        (lambda: Contrast(gain=2), r"gain must be two numbers \(low, high\), got 2"),
        (lambda: Gamma((1, 1)), r"exponents must allow for a change"),
        (lambda: GaussianNoise((0, 0)), r"deviation must allow for noise"),
        (lambda: ShotNoise((0.5, 0.1)), r"deviation must be a range \(low, high\)"),
        (lambda: CutOut(0), r"max_count must be a whole number of at least 1, got 0"),
        (lambda: CutOut(1.5), r"max_count must be a whole number of at least 1, got 1\.5"),
        (lambda: SectionBlur(max_sections=2.5), r"max_sections must be a whole number of at least 1, got 2\.5"),
        (lambda: CutOut(1, (0, 8, 8)), r"max_size_voxels must be"),
    ],
)
def test_options_that_are_none_are_refused(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
