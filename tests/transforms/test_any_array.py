"""Arrays of numpy in whatever order, against a plain copy of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.transforms import Fold, PercentileIntensity, StandardiseIntensity
from sectome.transforms.any_array import as_tensor

FLIPS = {"backwards": np.s_[:, ::-1, ::-1], "one section backwards": np.s_[:1, ::-1], "as it is": np.s_[:]}


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", ">i4", ">f4", ">f8"])
def test_a_tensor_has_the_voxels_of_any_array(dtype, flip):
    array = np.arange(60).reshape(3, 4, 5).swapaxes(0, 2).astype(dtype)[FLIPS[flip]]
    tensor = as_tensor(array)
    assert tensor.tolist() == array.tolist()
    assert np.shares_memory(tensor.numpy(), array) == (flip == "as it is" and array.dtype.isnative)


@pytest.mark.parametrize("normaliser", [StandardiseIntensity(), PercentileIntensity()])
def test_grey_values_of_any_array_are_fitted_and_applied_as_those_of_a_copy(normaliser):
    plain = np.random.default_rng(0).integers(0, 255, (3, 16, 20), np.uint16)
    flipped, swapped = np.flip(plain).copy()[::-1, ::-1, ::-1], plain.astype(">u2")
    for one in (flipped, swapped):
        assert torch.equal(normaliser.fit(one).apply(one), normaliser.fit(plain).apply(plain))
        assert np.array_equal(normaliser(one[None]), normaliser(plain[None]))


def test_an_augmentation_takes_any_array():
    crop = np.random.default_rng(0).random((1, 4, 16, 16), np.float32)
    transform = Fold(prob=1.0)
    expected = transform.set_random_state(seed=0)(torch.from_numpy(crop))
    for one in (np.flip(crop).copy()[::-1, ::-1, ::-1, ::-1], crop.astype(">f4")):
        assert torch.equal(transform.set_random_state(seed=0)(one), expected)
