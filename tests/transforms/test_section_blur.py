"""Blurred sections: scipy's Gaussian is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from sectome.checks import InputError
from sectome.transforms import SectionBlur, blur_sections


@pytest.mark.parametrize("shape", [(21, 30), (5, 8), (1, 6), (64, 3)])
def test_each_section_is_blurred_as_scipy_does(shape):
    sections = torch.randn(2, 2, 3, *shape, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([[0.4, 1.3, 2.0], [3.0, 0.9, 5.5]])
    blurred = blur_sections(sections, sigma)
    for crop, channel, section in np.ndindex(2, 2, 3):
        expected = ndimage.gaussian_filter(
            sections[crop, channel, section].numpy(), float(sigma[crop, section]), mode="mirror"
        )
        np.testing.assert_allclose(blurred[crop, channel, section].numpy(), expected, atol=1e-5)


def test_a_point_becomes_a_gaussian():
    point = torch.zeros(1, 1, 1, 21, 31)
    point[..., 10, 15] = 1
    blurred = blur_sections(point, torch.tensor([[2.0]]))[0, 0, 0]
    expected = ndimage.gaussian_filter(point[0, 0, 0].numpy(), 2.0, mode="reflect")
    np.testing.assert_allclose(blurred.numpy(), expected, atol=1e-6)
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    assert blurred[10, 15] == pytest.approx(1 / (2 * np.pi * 4), rel=1e-3)


def test_a_flat_section_stays_flat():
    torch.testing.assert_close(
        blur_sections(torch.full((1, 1, 1, 7, 9), 3.0), torch.tensor([[4.0]])).unique().mean(), torch.tensor(3.0)
    )


def test_sections_that_are_not_chosen_are_bit_identical():
    crop = torch.randn(1, 6, 12, 16, generator=torch.Generator().manual_seed(0))
    transform = SectionBlur(max_sections=2, prob=1.0).set_random_state(seed=0)
    for _ in range(10):
        result = transform(crop)
        chosen = transform.parameters["sections"].tolist()
        for section in range(6):
            assert torch.equal(result[:, section], crop[:, section]) == (section not in chosen)
            if section in chosen:
                assert result[:, section].std() < crop[:, section].std()


def test_a_sigma_that_blurs_nothing_is_refused():
    with pytest.raises(InputError, match=r"sigma_voxels must be a range \(low, high\) within 0\.3 and 100\.0"):
        SectionBlur(sigma_voxels=(0.0, 2.0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_sections_of_any_floats_are_blurred_alike_and_keep_their_type(dtype):
    crop = torch.randn(1, 3, 9, 12, generator=torch.Generator().manual_seed(0)).to(dtype)
    transform = SectionBlur(prob=1.0)
    blurred, expected = (transform.set_random_state(seed=0)(one) for one in (crop, crop.float()))
    assert blurred.dtype == dtype
    torch.testing.assert_close(blurred.float(), expected, atol=4 * torch.finfo(dtype).eps + 1e-6, rtol=0)
