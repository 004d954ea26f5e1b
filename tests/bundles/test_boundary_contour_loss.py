"""The loss of foreground and contour: a slow twin, perfect is cheap, what is unknown costs nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import boundary_contour


@pytest.fixture
def loss(segmentation_scripts):
    return segmentation_scripts.BoundaryContourLoss()


@pytest.fixture
def labels():
    """Two mitochondria that touch along x, in background, (1, 1, 3, 8, 12)."""
    volume = torch.zeros(1, 1, 3, 8, 12, dtype=torch.int64)
    volume[..., 1:7, 2:6] = 1
    volume[..., 1:7, 6:10] = 2
    return volume


def perfect(labels, **options):
    return torch.stack([boundary_contour(one, **options)[0] for one in labels[:, 0]]).float() * 40 - 20


def reference_loss(logits, labels, width, in_plane, dice_weight, low, high):
    """Voxel by voxel, as the docstring says."""
    made = [boundary_contour(torch.from_numpy(one[0]), width, in_plane) for one in labels]
    cost, weights, dice = 0.0, 0, []
    for channel in range(2):
        voxels = [
            (float(logits[b][(channel, *place)]), int(made[b][0][(channel, *place)]))
            for b in range(len(labels))
            for place in np.ndindex(*labels.shape[2:])
            if made[b][1][(channel, *place)]
        ]
        share = min(max(sum(target for _, target in voxels) / len(voxels), 1e-3), 1 - 1e-3)
        overlap = wanted = predicted = 0.0
        for logit, target in voxels:
            probability = 1 / (1 + math.exp(-logit))
            weight = min(max(0.5 / (share if target else 1 - share), low), high)
            cost -= weight * math.log(probability if target else 1 - probability)
            overlap += target * probability
            wanted += target
            predicted += probability
        weights += len(voxels)
        dice.append(1 - (2 * overlap + 1) / (wanted + predicted + 1))
    return cost / weights + dice_weight * sum(dice) / 2


@pytest.mark.parametrize("in_plane", [False, True])
@pytest.mark.parametrize("width", [1, 2])
def test_it_equals_the_slow_twin(segmentation_scripts, width, in_plane):
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 3, (2, 1, 3, 3, 4)).repeat(2, axis=3).repeat(2, axis=4)
    logits = rng.normal(size=(2, 2, *labels.shape[2:]))
    loss = segmentation_scripts.BoundaryContourLoss(width, in_plane, dice_weight=0.7, balance_limits=(0.5, 3.0))
    value = loss(torch.from_numpy(logits), torch.from_numpy(labels))
    assert float(value) == pytest.approx(reference_loss(logits, labels, width, in_plane, 0.7, 0.5, 3.0), rel=1e-6)


def test_a_perfect_prediction_costs_almost_nothing_and_a_wrong_one_much(loss, labels):
    assert loss(perfect(labels), labels) < 0.01
    assert loss(-perfect(labels), labels) > 5


def test_missing_the_contour_between_two_that_touch_costs(loss, labels):
    merged = perfect(labels)
    merged[:, 1, :, 2:6, 5:7] = -20
    assert loss(merged, labels) > loss(perfect(labels), labels) + 0.1


@pytest.mark.parametrize("unknown", [-1, -7])
def test_unlabelled_voxels_cost_nothing(loss, labels, unknown):
    partly = labels.clone()
    partly[..., 9:] = unknown
    logits = perfect(labels)
    spoilt = logits.clone()
    spoilt[..., 9:] *= -1
    assert float(loss(spoilt, partly)) == pytest.approx(float(loss(logits, partly)), abs=1e-6)


@pytest.mark.parametrize("value", [-1, 0, 1])
def test_a_crop_of_one_kind_gives_a_finite_loss_and_gradient(loss, labels, value):
    logits = torch.zeros(1, 2, 3, 8, 12, requires_grad=True)
    result = loss(logits, torch.full_like(labels, value))
    result.backward()
    assert result.isfinite()
    assert logits.grad.isfinite().all()
    assert bool(logits.grad.any()) == (value >= 0)


def test_contours_across_sections_are_drawn_only_if_asked(segmentation_scripts):
    labels = torch.ones(1, 1, 4, 6, 6, dtype=torch.int64)
    labels[:, :, 2:] = 2
    flat, solid = (segmentation_scripts.BoundaryContourLoss(in_plane=setting) for setting in (True, False))
    logits = perfect(labels, in_plane=False)
    assert solid(logits, labels) < 0.01
    assert flat(logits, labels) > 1


def test_logits_of_other_targets_are_refused(loss, labels):
    with pytest.raises(InputError, match=r"logits must have the channels foreground, contour, got shape \(1, 12, 3"):
        loss(torch.zeros(1, 12, 3, 8, 12), labels)


def test_labels_that_a_transform_has_made_floats_are_refused(loss, labels):
    with pytest.raises(InputError, match=r"labels must be integers, one per object, got torch\.float32"):
        loss(torch.zeros(1, 2, 3, 8, 12), labels.float())


def test_a_width_below_1_is_refused(segmentation_scripts):
    with pytest.raises(InputError, match="width_voxels must be a whole number of at least 1, got 0"):
        segmentation_scripts.BoundaryContourLoss(0)


def test_a_switch_that_is_a_word_is_refused(segmentation_scripts):
    with pytest.raises(InputError, match="in_plane must be true or false, got 'no'"):
        segmentation_scripts.BoundaryContourLoss(in_plane="no")
