"""Cracks: a gap opens, and the tissue on both sides is pushed apart."""

from __future__ import annotations

import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import Crack, Crackd, crack

FAR = 1e6
"""A reach so long that both sides move as one piece."""


def cracked(sections, width, value=5.0, reach=FAR, position=9.5):
    """Crack sections along y, at x = `position`."""
    length = sections.shape[-1]
    distance = (torch.arange(length) - position).float().expand(1, 1, sections.shape[-2], length)
    normal = torch.tensor([[[0.0, 1.0]]])
    return crack(sections, distance, normal, torch.tensor([[float(width)]]), torch.tensor([[float(value)]]), reach)


def test_labels_part_and_are_0_in_the_gap():
    labels = torch.arange(1, 21).expand(1, 2, 1, 3, 20)
    result = cracked(labels, width=6)
    assert result[0, 1, 0, 2].tolist() == [4, 5, 6, 7, 8, 9, 10, 0, 0, 0, 0, 0, 0, 11, 12, 13, 14, 15, 16, 17]
    assert result.dtype == torch.int64


def test_the_image_parts_with_the_labels_and_is_filled_in_the_gap():
    ids = torch.arange(1, 21).expand(1, 1, 1, 3, 20)
    image, labels = cracked(ids.float(), width=6, value=-5), cracked(ids, width=6)
    expected = labels.float().masked_fill(labels == 0, -5)
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-4)


def test_a_voxel_that_the_edge_crosses_is_part_gap():
    image = cracked(torch.zeros(1, 1, 1, 1, 20), width=6, value=4.0, position=10.0)
    assert image.flatten().tolist() == [0.0] * 7 + [2.0] + [4.0] * 5 + [2.0] + [0.0] * 6


def test_tissue_far_from_the_crack_stays_and_keeps_its_order():
    ids = torch.arange(1, 201).expand(1, 1, 1, 3, 200)
    result = cracked(ids, width=10, reach=10.0, position=99.5)[0, 0, 0, 0]
    assert torch.equal(result[:60], ids[0, 0, 0, 0, :60])
    assert torch.equal(result[140:], ids[0, 0, 0, 0, 140:])
    tissue = result[result > 0]
    assert len(tissue) == 190
    assert (tissue.diff() >= 0).all()
    assert result[94] == 100, "both sides of the gap were neighbours"
    assert result[105] == 101


def test_both_sides_keep_their_ids_and_other_sections_are_bit_identical():
    labels = torch.arange(1, 101).reshape(10, 10).repeat_interleave(8, 0).repeat_interleave(8, 1)
    labels = labels.expand(1, 5, 80, 80).clone()
    image = labels.float()
    transform = Crackd(["image", "label"], value=(-9, -9), prob=1.0).set_random_state(seed=0)
    for _ in range(8):
        result = transform({"image": image, "label": labels})
        (chosen,) = transform.transform.parameters["sections"].tolist()
        others = [section for section in range(5) if section != chosen]
        assert torch.equal(result["label"][:, others], labels[:, others])
        assert torch.equal(result["image"][:, others], image[:, others])
        torn = result["label"][:, chosen]
        assert (torn == 0).any()
        assert set(torn.unique().tolist()) <= {0, *range(1, 101)}
        tissue = result["image"][:, chosen][torn > 0] - torn[torn > 0]
        assert (tissue.abs() < 1e-3).float().mean() > 0.6, "blocks agree but where interpolation mixes two"


def test_options_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"width_voxels must be a range \(low, high\) within 1\.0"):
        Crack(width_voxels=(0, 3))
    with pytest.raises(InputError, match=r"reach_voxels must be a number of at least 1, got 0"):
        Crack(reach_voxels=0)
