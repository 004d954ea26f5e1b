"""Misalignment: sections move by whole voxels, with their labels, and come in mirrored."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import Misalignment, Misalignmentd, shift_sections


def slow_shift(image, shifts):
    """Shift (Z, Y, X) section by section on a padded copy: a second way to the same."""
    result = np.empty_like(image)
    for z, (dy, dx) in enumerate(shifts):
        padded = np.pad(image[z], [(abs(dy), abs(dy)), (abs(dx), abs(dx))], mode="reflect")
        height, width = image.shape[1:]
        result[z] = padded[abs(dy) - dy : abs(dy) - dy + height, abs(dx) - dx : abs(dx) - dx + width]
    return result


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_each_section_moves_by_its_own_shift(dtype):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 99, (3, 2, 6, 7, 9)).astype(dtype)
    shifts = rng.integers(-5, 6, (3, 6, 2))
    shifts[:, 2:4] = shifts[:, :1]  # sections that move together
    shifts[1] = 0
    result = shift_sections(torch.from_numpy(images), torch.from_numpy(shifts)).numpy()
    for crop in range(3):
        for channel in range(2):
            assert np.array_equal(result[crop, channel], slow_shift(images[crop, channel], shifts[crop]))
    assert result.dtype == dtype


@pytest.mark.parametrize(("mode", "moved"), [("slip", {1}), ("shift", {1, 2, 3, 4, 5})])
def test_a_slip_moves_one_section_and_a_shift_all_that_follow_but_never_the_whole_crop(mode, moved):
    transform = Misalignment(4, mode, prob=1.0).set_random_state(seed=0)
    counts = set()
    for _ in range(60):
        transform.randomize((1, 6, 20, 20))
        shifts = transform.parameters["shifts"]
        assert np.abs(shifts).max() <= 4
        moving = np.flatnonzero(shifts.any(axis=1))
        if len(moving):
            counts.add(len(moving))
            assert moving.tolist() == list(range(moving[0], moving[0] + len(moving)))
            assert mode == "slip" or moving[-1] == 5
    assert counts == moved


def test_labels_move_with_the_image_when_they_are_keys_and_else_stay():
    image = torch.rand(1, 4, 8, 8)
    data = {"image": image, "label": (image * 1000).long()}
    both = Misalignmentd(["image", "label"], prob=1.0).set_random_state(seed=1)(data)
    assert torch.equal((both["image"] * 1000).long(), both["label"])
    alone = Misalignmentd("image", prob=1.0).set_random_state(seed=1)(data)
    assert torch.equal(alone["image"], both["image"])
    assert torch.equal(alone["label"], data["label"])


def test_options_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"max_shift_voxels must be a whole number of at least 1, got 0"):
        Misalignment(0)
    with pytest.raises(InputError, match=r"mode must be one of 'slip', 'shift', 'either', got 'jump'"):
        Misalignment(mode="jump")
