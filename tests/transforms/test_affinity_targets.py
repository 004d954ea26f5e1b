"""Affinities as targets: channels, keys, and what is unknown beside unlabelled voxels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.neighbourhoods import LONG_RANGE, NEAREST
from sectome.transforms import AffinityTargets, AffinityTargetsd, affinity_targets


def reference_targets(labels: np.ndarray, offsets) -> tuple[np.ndarray, np.ndarray]:
    affinities = np.zeros((len(offsets), *labels.shape), np.uint8)
    valid = affinities.copy()
    for channel, offset in enumerate(offsets):
        for here in np.ndindex(*labels.shape):
            there = tuple(a + b for a, b in zip(here, offset, strict=True))
            if all(0 <= at < length for at, length in zip(there, labels.shape, strict=True)):
                a, b = labels[here], labels[there]
                valid[(channel, *here)] = a >= 0 and b >= 0
                affinities[(channel, *here)] = a == b and a > 0
    return affinities, valid


def test_it_equals_the_slow_twin():
    labels = np.random.default_rng(0).integers(-1, 3, (3, 4, 5)).repeat(2, axis=2)
    offsets = LONG_RANGE[:6]
    for result, expected in zip(
        affinity_targets(torch.from_numpy(labels), offsets), reference_targets(labels, offsets), strict=True
    ):
        assert result.dtype == torch.uint8
        assert np.array_equal(result.numpy(), expected)


def test_the_transform_stacks_and_the_dictionary_version_writes_two_keys():
    labels = torch.tensor([[[[1, 1, 2, -1]]]])
    stacked = AffinityTargets(NEAREST)(labels)
    assert stacked.shape == (6, 1, 1, 4)
    assert stacked[2].tolist() == [[[0, 1, 0, 0]]]
    assert stacked[5].tolist() == [[[0, 1, 1, 0]]]
    result = AffinityTargetsd("label", offsets=[list(one) for one in NEAREST])({"label": labels})
    assert sorted(result) == ["label", "label_affinities", "label_affinities_valid"]
    assert result["label"] is labels
    assert torch.equal(torch.cat([result["label_affinities"], result["label_affinities_valid"]]), stacked)


def test_offsets_that_are_none_are_refused():
    with pytest.raises(InputError, match="offsets must name at least one"):
        AffinityTargets([])
