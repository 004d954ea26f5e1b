"""Folds: a strip of tissue disappears, its sides meet, and a dark band covers the place."""

from __future__ import annotations

import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import Fold, Foldd, fold

FAR = 1e6
"""A reach so long that both sides move as one piece."""


def across_x(width, position):
    """Return the distance (1, 1, 3, width) to a line along y, and its normal."""
    distance = (torch.arange(width) - position).float().expand(1, 1, 3, width)
    return distance, torch.tensor([[[0.0, 1.0]]])


def parameter(value):
    return torch.tensor([[float(value)]])


def folded(sections, hidden, width=4.0, darkness=2.0, reach=FAR, position=9.5):
    distance, normal = across_x(sections.shape[-1], position)
    return fold(sections, distance, normal, parameter(hidden), parameter(width), parameter(darkness), reach)


def test_labels_on_both_sides_meet_over_the_hidden_strip():
    labels = torch.arange(20).expand(1, 2, 1, 3, 20)
    result = folded(labels, hidden=6)
    # 7 to 12 are hidden. Beyond the border stands the mirror image.
    expected = [3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 13, 14, 15, 16, 17, 18, 19, 18, 17, 16]
    assert result[0, 1, 0, 2].tolist() == expected
    assert result.dtype == torch.int64


def test_the_image_moves_with_the_labels_and_is_dark_in_the_band():
    ids = torch.arange(20).expand(1, 1, 1, 3, 20)
    image, labels = folded(ids.float(), hidden=6), folded(ids, hidden=6)
    torch.testing.assert_close(image[..., :6], labels[..., :6].float(), rtol=0, atol=1e-3)
    torch.testing.assert_close(image[..., 14:], labels[..., 14:].float(), rtol=0, atol=1e-3)
    bright = folded(torch.ones(1, 1, 1, 3, 20), hidden=6, darkness=2.0)
    assert (bright[..., 9:11] < -1).all()
    torch.testing.assert_close(bright[..., :5], torch.ones(1, 1, 1, 3, 5), rtol=0, atol=1e-3)


def test_tissue_far_from_the_fold_stays_where_it_was():
    ids = torch.arange(200).expand(1, 1, 1, 3, 200)
    result = folded(ids, hidden=10, reach=10.0, position=99.5)[0, 0, 0, 0]
    assert torch.equal(result[:60], ids[0, 0, 0, 0, :60])
    assert torch.equal(result[140:], ids[0, 0, 0, 0, 140:])
    assert (result.diff() >= 0).all(), "tissue keeps its order"
    assert int(result[99]) <= 96
    assert int(result[100]) >= 103


def test_image_and_labels_of_a_crop_stay_registered_and_other_sections_bit_identical():
    step = torch.arange(60).expand(60, 60) // 6
    labels = (step + 10 * step.T + 1).expand(1, 5, 60, 60).clone()
    transform = Foldd(["image", "label"], width_voxels=(1, 1), darkness=(0, 0), prob=1.0).set_random_state(seed=0)
    for _ in range(8):
        result = transform({"image": labels.float(), "label": labels})
        (chosen,) = transform.transform.parameters["sections"].tolist()
        for section in range(5):
            same = torch.equal(result["label"][:, section], labels[:, section])
            assert same == (section != chosen)
            if same:
                assert torch.equal(result["image"][:, section], labels[:, section].float())
        agree = (result["image"][:, chosen] - result["label"][:, chosen]).abs() < 1e-3
        assert agree.float().mean() > 0.6, "blocks agree but where interpolation mixes two"
        assert set(result["label"].unique().tolist()) <= set(labels.unique().tolist())


def test_a_reach_that_would_tear_tissue_is_refused():
    with pytest.raises(InputError, match=r"reach_voxels \(hidden_voxels\) must be a number of at least 24\.0, got 10"):
        Fold(reach_voxels=10)
