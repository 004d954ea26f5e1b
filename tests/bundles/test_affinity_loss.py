"""The loss: perfect is cheap, unknown pairs cost nothing, rare borders weigh as much as interiors."""

from __future__ import annotations

import shutil

import pytest
import torch

from sectome.checks import InputError
from sectome.neighbourhoods import NEAREST
from sectome.training import compile_network


@pytest.fixture
def loss(segmentation_scripts):
    return segmentation_scripts.AffinityLoss(NEAREST)


@pytest.fixture
def labels():
    """Two objects side by side along x, (1, 1, 3, 4, 6)."""
    volume = torch.ones(1, 1, 3, 4, 6, dtype=torch.int64)
    volume[..., 3:] = 2
    return volume


def perfect(labels, offsets=NEAREST):
    from sectome.affinities import labels_to_affinities

    return (labels_to_affinities(labels[:, 0], offsets)[0].float() * 2 - 1) * 20


def test_a_perfect_prediction_costs_almost_nothing_and_a_wrong_one_much(loss, labels):
    assert loss(perfect(labels), labels) < 0.01
    assert loss(-perfect(labels), labels) > 5


def test_unlabelled_voxels_and_pairs_across_the_border_cost_nothing(loss, labels):
    unlabelled = labels.clone()
    unlabelled[..., 4:] = -1
    logits = perfect(labels)
    spoilt = logits.clone()
    spoilt[..., 4:] = -spoilt[..., 4:]
    spoilt[:, 0, 0] = 50.0 - 100 * torch.rand(4, 6)  # no voxel before the first section
    assert loss(spoilt, unlabelled) == pytest.approx(float(loss(logits, unlabelled)), abs=1e-6)


def test_an_all_unlabelled_crop_gives_a_finite_loss_and_gradient(loss, labels):
    logits = torch.zeros(1, 3, 3, 4, 6, requires_grad=True)
    value = loss(logits, torch.full_like(labels, -1))
    value.backward()
    assert value.isfinite()
    assert not logits.grad.any()


def test_the_sign_of_an_offset_matters(segmentation_scripts, labels):
    backward = segmentation_scripts.AffinityLoss([(0, 0, -1)])
    logits = perfect(labels, [(0, 0, -1)])
    assert backward(logits, labels) < 0.01
    assert segmentation_scripts.AffinityLoss([(0, 0, 1)])(logits, labels) > 0.5


def test_a_missed_border_costs_as_much_as_a_missed_interior(segmentation_scripts, labels):
    loss = segmentation_scripts.AffinityLoss([(0, 0, -1)], dice_weight=0.0, balance_limits=(0.0, 100.0))
    good = perfect(labels, [(0, 0, -1)])
    missed_border, missed_interior = good.abs(), -good.abs()
    assert float(loss(missed_border, labels)) == pytest.approx(float(loss(missed_interior, labels)), rel=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dice_weight": "x"}, "dice_weight must be a number of at least 0, got 'x'"),
        ({"dice_weight": -1}, "dice_weight must be a number of at least 0, got -1"),
        ({"balance_limits": 3}, "balance_limits must be two numbers"),
        ({"balance_limits": [8.0, 0.3]}, "balance_limits must be a range"),
    ],
)
def test_weights_that_cannot_be_are_refused_before_anything_is_trained(segmentation_scripts, options, message):
    with pytest.raises(InputError, match=message):
        segmentation_scripts.AffinityLoss(NEAREST, **options)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
# What compiles it makes an instance of each function that brings its gradient, which torch's own code warns of.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_a_compiled_loss_is_the_same_up_to_rounding_and_plain_without_gradients(segmentation_scripts, labels):
    plain, compiled = (segmentation_scripts.AffinityLoss(NEAREST) for _ in range(2))
    compile_network(torch.nn.Identity(), compiled)
    labels[..., 5:] = -1
    logits = torch.randn(1, len(NEAREST), *labels.shape[2:], generator=torch.Generator().manual_seed(0))
    results = []
    for loss in (plain, compiled):
        given = logits.clone().requires_grad_()
        value = loss(given, labels)
        value.backward()
        results.append((value.detach(), given.grad))
    torch.testing.assert_close(results[1], results[0])
    with torch.no_grad():
        assert torch.equal(compiled(logits, labels), plain(logits, labels))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_many_voxels_in_half_precision_cost_what_they_do_in_float32(loss, dtype):
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(5, (1, 1, 10, 90, 90), generator=random)
    logits = torch.randn(1, 3, 10, 90, 90, generator=random).to(dtype)
    torch.testing.assert_close(loss(logits, labels), loss(logits.float(), labels))


@pytest.mark.parametrize("rare", [0, 1])
def test_the_loss_and_its_gradient_are_those_of_sums_that_torch_differentiates(segmentation_scripts, rare):
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 2, 4, 5, generator=random, dtype=torch.float64) * 2
    targets, known = ((torch.rand(logits.shape, generator=random) < share).to(torch.uint8) for share in (0.7, 0.9))

    class Loss(segmentation_scripts.AffinityLoss):
        def targets(self, labels):
            return targets, known

    Loss.rare = rare
    loss = Loss(NEAREST, dice_weight=0.7, balance_limits=(0.3, 1.5))

    def reference(logits):
        """Return the loss, channel by channel, of the voxels that are known."""
        cost, dice = 0.0, 0.0
        for channel in range(3):
            chosen = known[:, channel] == 1
            chances = logits[:, channel][chosen].sigmoid()
            truth = targets[:, channel][chosen].double()
            share = truth.mean()
            weights = torch.where(truth == 1, (0.5 / share).clamp(0.3, 1.5), (0.5 / (1 - share)).clamp(0.3, 1.5))
            cost = cost - (weights * torch.where(truth == 1, chances, 1 - chances).log()).sum()
            found, there = (chances, truth) if rare else (1 - chances, 1 - truth)
            dice = dice + (1 - (2 * (found * there).sum() + 1) / (found.sum() + there.sum() + 1)) / 3
        return cost / known.sum() + 0.7 * dice

    given, same = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    value, expected = loss(given, None), reference(same)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(*torch.autograd.grad(value, given), *torch.autograd.grad(expected, same))
