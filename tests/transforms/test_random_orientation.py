"""Orientations: image and label stay registered, sections stay sections, draws are reproducible."""

from __future__ import annotations

import pickle

import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import RandomOrientation, RandomOrientationd, orient


@pytest.fixture
def cube() -> torch.Tensor:
    """Each voxel of its own value, (1, 4, 4, 4)."""
    return torch.arange(64).reshape(1, 4, 4, 4)


def test_an_orientation_by_hand():
    image = torch.tensor([[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]])
    turned = orient(image, (True, False, False), (0, 2, 1))
    assert turned.tolist() == [[[[5, 7], [6, 8]], [[1, 3], [2, 4]]]]


@pytest.mark.parametrize("isotropic", [False, True])
def test_image_and_label_get_the_same_orientation(cube, isotropic):
    transform = RandomOrientationd(["image", "label"], isotropic=isotropic).set_random_state(seed=0)
    for _ in range(30):
        result = transform({"image": cube.float(), "label": cube})
        assert torch.equal(result["image"], result["label"].float())


@pytest.mark.parametrize(("isotropic", "count"), [(False, 16), (True, 48)])
def test_all_orientations_are_drawn_and_no_other(cube, isotropic, count):
    transform = RandomOrientation(isotropic).set_random_state(seed=0)
    seen = {tuple(transform(cube).flatten().tolist()) for _ in range(1500)}
    assert len(seen) == count


def test_anisotropic_sections_stay_sections(cube):
    transform = RandomOrientation(isotropic=False).set_random_state(seed=0)
    for _ in range(50):
        sections = {frozenset(section.flatten().tolist()) for section in transform(cube)[0]}
        assert sections == {frozenset(section.flatten().tolist()) for section in cube[0]}


def test_a_copy_in_another_process_does_the_same(cube):
    transform = RandomOrientation().set_random_state(seed=5)
    copy = pickle.loads(pickle.dumps(transform))
    flat = torch.cat([cube, cube], dim=1)  # sections are square, the crop is no cube
    assert all(torch.equal(transform(flat), copy(flat)) for _ in range(10))


def test_axes_of_other_lengths_are_refused():
    with pytest.raises(InputError, match=r"crops of \(2, 4, 6\) with isotropic=False"):
        RandomOrientation()(torch.zeros(1, 2, 4, 6))
    with pytest.raises(InputError, match="isotropic=True"):
        RandomOrientation(isotropic=True)(torch.zeros(1, 2, 4, 4))


def test_a_switch_that_is_a_word_is_refused():
    with pytest.raises(InputError, match="isotropic must be true or false, got 'no'"):
        RandomOrientation(isotropic="no")
