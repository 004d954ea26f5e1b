"""Affinities of labels: the sign, the background, the border, and the same on arrays and tensors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sectome.affinities import labels_to_affinities
from sectome.checks import InputError
from sectome.neighbourhoods import LONG_RANGE, NEAREST

MIXED = ((-1, 0, 0), (0, 2, 0), (0, -1, 1), (1, 1, -2))


def reference_affinities(labels, offsets, mask=None):
    """The rule, voxel by voxel."""
    affinities = np.zeros((len(offsets), *labels.shape), np.uint8)
    valid = np.zeros_like(affinities)
    for k, offset in enumerate(offsets):
        for p in itertools.product(*map(range, labels.shape)):
            q = tuple(a + b for a, b in zip(p, offset, strict=True))
            if all(0 <= a < n for a, n in zip(q, labels.shape, strict=True)):
                affinities[(k, *p)] = labels[p] == labels[q] != 0
                valid[(k, *p)] = mask is None or bool(mask[p] and mask[q])
    return affinities, valid


def test_an_affinity_is_stored_at_the_later_of_its_two_voxels():
    labels = np.array([[[7, 7, 7, 8, 8]]])
    affinities, valid = labels_to_affinities(labels, [(0, 0, -1)])
    assert affinities.tolist() == [[[[0, 1, 1, 0, 1]]]]
    assert valid.tolist() == [[[[0, 1, 1, 1, 1]]]]


def test_a_forward_offset_is_stored_at_the_earlier_voxel():
    affinities, valid = labels_to_affinities(np.array([[[7, 7, 7, 8, 8]]]), [(0, 0, 1)])
    assert affinities.tolist() == [[[[1, 1, 0, 1, 0]]]]
    assert valid.tolist() == [[[[1, 1, 1, 1, 0]]]]


def test_each_axis_has_its_own_channel():
    # Sections [[1, 1], [2, 2]] and [[1, 2], [2, 2]].
    labels = np.array([[[1, 1], [2, 2]], [[1, 2], [2, 2]]])
    affinities, valid = labels_to_affinities(labels, NEAREST)
    assert affinities[0].tolist() == [[[0, 0], [0, 0]], [[1, 0], [1, 1]]]
    assert affinities[1].tolist() == [[[0, 0], [0, 0]], [[0, 0], [0, 1]]]
    assert affinities[2].tolist() == [[[0, 1], [0, 1]], [[0, 0], [0, 1]]]
    assert valid[0].tolist() == [[[0, 0], [0, 0]], [[1, 1], [1, 1]]]
    assert valid[1].tolist() == [[[0, 0], [1, 1]], [[0, 0], [1, 1]]]
    assert valid[2].tolist() == [[[0, 1], [0, 1]], [[0, 1], [0, 1]]]


def test_background_has_no_affinity_with_itself_but_is_known():
    affinities, valid = labels_to_affinities(np.array([[[0, 0, 3, 3]]]), [(0, 0, -1)])
    assert affinities.tolist() == [[[[0, 0, 0, 1]]]]
    assert valid.tolist() == [[[[0, 1, 1, 1]]]]


def test_a_masked_voxel_makes_all_its_pairs_unknown():
    mask = np.array([[[1, 1, 0, 1, 1]]])
    _, valid = labels_to_affinities(np.full((1, 1, 5), 4), [(0, 0, -1)], mask)
    assert valid.tolist() == [[[[0, 1, 0, 0, 1]]]]


def test_ids_beyond_53_bits_beside_unknown_voxels_are_told_apart():
    labels = np.array([[[-1, 2**60, 2**60 + 1, 2**60 + 1]]])
    affinities, _ = labels_to_affinities(labels, [(0, 0, -1)], mask=labels >= 0)
    assert affinities.tolist() == [[[[0, 0, 0, 1]]]]


@settings(deadline=None, max_examples=40)
@given(
    labels=hnp.arrays(
        np.uint16, st.tuples(st.integers(2, 4), st.integers(3, 5), st.integers(3, 6)), elements=st.integers(0, 2)
    ),
    seed=st.integers(0, 99),
)
def test_affinities_agree_with_the_reference_on_arrays_and_tensors(labels, seed):
    mask = np.random.default_rng(seed).integers(0, 2, labels.shape)
    before = labels.copy()
    expected = reference_affinities(labels, MIXED, mask)
    got = labels_to_affinities(labels, MIXED, mask)
    tensors = labels_to_affinities(torch.from_numpy(labels.astype(np.int64)), MIXED, torch.from_numpy(mask))
    for want, array, tensor in zip(expected, got, tensors, strict=True):
        assert array.dtype == np.uint8
        assert tensor.dtype == torch.uint8
        np.testing.assert_array_equal(array, want)
        np.testing.assert_array_equal(tensor.numpy(), want)
    np.testing.assert_array_equal(labels, before)


def test_leading_axes_are_a_batch():
    labels = np.random.default_rng(0).integers(0, 3, (2, 3, 4, 5, 6))
    mask = np.random.default_rng(1).integers(0, 2, labels.shape)
    affinities, valid = labels_to_affinities(labels, MIXED, mask)
    assert affinities.shape == valid.shape == (2, 3, 4, 4, 5, 6)
    for i, j in itertools.product(range(2), range(3)):
        one, known = labels_to_affinities(labels[i, j], MIXED, mask[i, j])
        np.testing.assert_array_equal(affinities[i, j], one)
        np.testing.assert_array_equal(valid[i, j], known)


def test_one_mask_serves_a_batch():
    labels = np.ones((2, 2, 3, 4), int)
    mask = np.random.default_rng(1).integers(0, 2, (2, 3, 4))
    _, valid = labels_to_affinities(labels, NEAREST, mask)
    np.testing.assert_array_equal(valid[0], valid[1])
    np.testing.assert_array_equal(valid[0], reference_affinities(labels[0], NEAREST, mask)[1])


def test_an_offset_longer_than_the_array_is_invalid_everywhere(asymmetric_labels):
    _, valid = labels_to_affinities(asymmetric_labels, LONG_RANGE)
    fits = [all(abs(step) < extent for step, extent in zip(o, (5, 7, 9), strict=True)) for o in LONG_RANGE]
    assert [bool(channel.any()) for channel in valid] == fits
    assert not all(fits)


@pytest.mark.parametrize(
    ("labels", "offsets", "mask", "message"),
    [
        (np.ones((1, 1, 2)), NEAREST, None, "must be integers, one per object, got float64"),
        (np.ones((1, 1, 2), bool), NEAREST, None, "got bool"),
        (torch.ones(1, 1, 2), NEAREST, None, "got float32"),
        (np.ones((3, 4), int), NEAREST, None, r"axes \(..., Z, Y, X\), got shape \(3, 4\)"),
        (np.ones((1, 1, 2), int), [(0, -1, 0), (0, 0, -2)], None, "larger than at least one offset"),
        (np.ones((2, 2, 2), int), NEAREST, np.ones((2, 2)), r"got \(2, 2\)"),
        (np.ones((2, 2, 2), int), [], None, "got none"),
    ],
)
def test_what_has_no_affinities_is_refused(labels, offsets, mask, message):
    with pytest.raises(InputError, match=message):
        labels_to_affinities(labels, offsets, mask)
