"""Mirror images of a window have their say about the same pairs of voxels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.affinities import labels_to_affinities
from sectome.checks import InputError
from sectome.inference import predict_flipped
from sectome.neighbourhoods import ISOTROPIC, LONG_RANGE

LABELS = np.random.default_rng(0).integers(1, 3, (1, 1, 12, 12, 12))


def true_affinities(offsets):
    def predict(windows):
        return torch.from_numpy(labels_to_affinities(windows[:, 0].numpy(), offsets)[0]).float()

    return predict


@pytest.mark.parametrize(("offsets", "orders"), [(LONG_RANGE, 1), (ISOTROPIC, 6)])
def test_a_network_that_knows_the_truth_says_it_for_every_flip(offsets, orders):
    from sectome.inference.flips import ORIENTATIONS_ISOTROPIC

    windows = torch.from_numpy(LABELS)
    calls = []

    def predict(turned):
        calls.append(turned)
        return true_affinities(offsets)(turned)

    mean = predict_flipped(predict, offsets, transpose=ORIENTATIONS_ISOTROPIC[:orders])(windows)
    assert len(calls) == 8 * orders
    assert len({tuple(turned.flatten().tolist()) for turned in calls}) == 8 * orders
    truth, valid = labels_to_affinities(LABELS[:, 0], offsets)
    known = torch.from_numpy(valid.astype(bool))
    torch.testing.assert_close(mean[known], torch.from_numpy(truth)[known].float())


def test_channels_without_offsets_are_turned_back_only():
    windows = torch.randn(2, 1, 4, 6, 8)
    mean = predict_flipped(lambda turned: torch.cat([turned, turned.square()], dim=1))(windows)
    torch.testing.assert_close(mean, torch.cat([windows, windows.square()], dim=1))


def test_axes_of_other_lengths_are_not_transposed():
    windows = torch.randn(1, 1, 4, 6, 6)
    shapes = []

    def predict(turned):
        shapes.append(turned.shape)
        return turned

    predict_flipped(predict, transpose=((0, 1, 2), (0, 2, 1), (2, 1, 0)))(windows)
    assert len(shapes) == 16
    assert set(shapes) == {windows.shape}


def test_orders_of_axes_that_suit_no_window_are_refused():
    with pytest.raises(InputError, match=r"suits windows of \(4, 6, 6\), got \(\(2, 1, 0\),\)"):
        predict_flipped(lambda turned: turned, transpose=((2, 1, 0),))(torch.zeros(1, 1, 4, 6, 6))


def test_a_step_longer_than_a_window_has_no_vote_of_a_flip():
    windows = torch.from_numpy(LABELS[..., :3])
    truth, valid = labels_to_affinities(LABELS[:, 0, ..., :3], ISOTROPIC)
    mean = predict_flipped(true_affinities(ISOTROPIC), ISOTROPIC)(windows)
    known = torch.from_numpy(valid.astype(bool))
    torch.testing.assert_close(mean[known], torch.from_numpy(truth)[known].float())
