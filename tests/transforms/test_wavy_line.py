"""Wavy lines: the distance of voxels to them, and looking across them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sectome.transforms.wavy_line import distance_to_line, draw_wavy_line, sample_across

SHAPE = (9, 14)


def drawn(seed, waviness=0.5, across=(0.2, 0.8), shape=SHAPE):
    """Return a line as (1, 1, ...)."""
    line = draw_wavy_line(np.random.RandomState(seed), shape, waviness, across)
    return {name: torch.as_tensor(value, dtype=torch.float32)[None, None] for name, value in line.items()}


def straight(normal, position):
    none = torch.zeros(1, 1, 1)
    return {
        "normal": torch.tensor([[normal]]),
        "position": torch.tensor([[position]]),
        "amplitudes": none,
        "wavelengths": none + 1,
        "phases": none,
    }


def reference_distance(line, shape):
    """Return the distance, voxel by voxel, by plain mathematics."""
    result = torch.zeros(shape)
    (normal_y, normal_x), position = line["normal"][0, 0].tolist(), float(line["position"])
    for y in range(shape[0]):
        for x in range(shape[1]):
            from_middle = (y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2)
            along = normal_x * from_middle[0] - normal_y * from_middle[1]
            wave = sum(
                amplitude * (math.sin(2 * math.pi * along / wavelength + phase) - math.sin(phase))
                for amplitude, wavelength, phase in zip(
                    *(line[name][0, 0].tolist() for name in ("amplitudes", "wavelengths", "phases")), strict=True
                )
            )
            result[y, x] = normal_y * from_middle[0] + normal_x * from_middle[1] - position - wave
    return result


def test_a_straight_line_by_hand():
    distance = distance_to_line(torch.zeros(1, 1, 1, 2, 5), straight([0.0, 1.0], -1.0))
    assert distance.tolist() == [[[[-1, 0, 1, 2, 3], [-1, 0, 1, 2, 3]]]]
    distance = distance_to_line(torch.zeros(1, 1, 1, 3, 2), straight([-1.0, 0.0], 0.5))
    assert distance.tolist() == [[[[0.5, 0.5], [-0.5, -0.5], [-1.5, -1.5]]]]


@pytest.mark.parametrize("seed", range(5))
def test_a_wavy_line_is_as_the_slow_one(seed):
    line = drawn(seed)
    distance = distance_to_line(torch.zeros(1, 2, 1, *SHAPE), line)
    torch.testing.assert_close(distance[0, 0], reference_distance(line, SHAPE), rtol=1e-4, atol=1e-4)


def test_each_section_of_each_crop_has_its_own_line():
    lines = [[drawn(2 * crop + section) for section in range(2)] for crop in range(3)]
    names = lines[0][0]
    both = {name: torch.cat([torch.cat([one[name] for one in row], 1) for row in lines]) for name in names}
    distance = distance_to_line(torch.zeros(3, 1, 2, *SHAPE), both)
    for crop, row in enumerate(lines):
        for section, line in enumerate(row):
            alone = distance_to_line(torch.zeros(1, 1, 1, *SHAPE), line)[0, 0]
            torch.testing.assert_close(distance[crop, section], alone)


@pytest.mark.parametrize("waviness", [0.0, 0.4])
def test_no_line_is_steeper_than_its_waviness(waviness):
    for seed in range(20):
        line = drawn(seed, waviness)
        steepest = (2 * math.pi * line["amplitudes"] / line["wavelengths"]).sum()
        assert steepest <= waviness + 1e-6


def test_lines_run_within_their_range_across_the_section():
    for seed in range(50):
        line = drawn(seed, waviness=0.0, across=(0.25, 0.5))
        distance = distance_to_line(torch.zeros(1, 1, 1, *SHAPE), line)
        place = -distance.min() / (distance.max() - distance.min())
        assert 0.25 - 1e-4 <= place <= 0.5 + 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_a_whole_step_along_an_axis_looks_up_that_neighbour(dtype):
    sections = torch.arange(2 * 3 * 2 * 4 * 5).reshape(2, 3, 2, 4, 5).to(dtype)
    right = sample_across(sections, torch.tensor([0.0, 1.0]).expand(2, 2, 2), torch.ones(2, 2, 4, 5))
    torch.testing.assert_close(right[..., :-1], sections[..., 1:])
    torch.testing.assert_close(right[..., -1], sections[..., -2])
    up = sample_across(sections, torch.tensor([1.0, 0.0]).expand(2, 2, 2), -torch.ones(2, 2, 4, 5))
    torch.testing.assert_close(up[..., 1:, :], sections[..., :-1, :])


def test_a_step_along_the_normal_changes_the_distance_by_its_length():
    line = drawn(3, waviness=0.3, shape=(40, 40))
    sections = torch.zeros(1, 1, 1, 40, 40)
    distance = distance_to_line(sections, line)
    moved = sample_across(distance[None], line["normal"], torch.full((1, 1, 40, 40), 3.0))
    inner = (slice(None), slice(None), slice(5, -5), slice(5, -5))
    torch.testing.assert_close(moved[0][inner], distance[inner] + 3, atol=0.05, rtol=0)
