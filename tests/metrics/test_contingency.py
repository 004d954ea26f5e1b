"""The contingency table: against numpy, whatever the ids, and added up block by block."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectome.metrics import contingency_table


def slow_twin(truth, segmentation, ignore):
    cells = {}
    for one, other in zip(truth.ravel().tolist(), segmentation.ravel().tolist(), strict=True):
        if one != ignore:
            cells[one, other] = cells.get((one, other), 0) + 1
    return cells


def as_cells(table):
    rows, columns = table.counts.nonzero()
    objects, segments = table.objects[rows].tolist(), table.segments[columns].tolist()
    return dict(zip(zip(objects, segments, strict=True), table.counts.data.astype(int).tolist(), strict=True))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    ids=st.integers(1, 6),
    dtype=st.sampled_from([np.uint8, np.int32, np.uint64]),
    ignore=st.sampled_from([0, None, 2]),
)
def test_it_counts_what_a_loop_counts(seed, ids, dtype, ignore):
    rng = np.random.default_rng(seed)
    truth, segmentation = (rng.integers(0, ids, (3, 4, 9)).astype(dtype) for _ in range(2))
    truth[0, 0, 0] = 1
    assert as_cells(contingency_table(truth, segmentation, ignore)) == slow_twin(truth, segmentation, ignore)


def test_more_pairs_than_the_first_table_holds_and_arrays_in_any_order_are_fine():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 300, (30, 40, 50)).transpose(2, 0, 1)
    segmentation = rng.integers(0, 200, (50, 30, 40)).astype(np.int16)
    assert as_cells(contingency_table(truth, segmentation)) == slow_twin(truth, segmentation, 0)


def test_great_and_negative_ids_are_ids():
    truth = np.array([2**64 - 1, 2**64 - 1, 2**63, 1], np.uint64)
    segmentation = np.array([-1, -1, 5, -(2**63)])
    table = contingency_table(truth, segmentation)
    assert as_cells(table) == {(2**64 - 1, -1): 2, (2**63, 5): 1, (1, -(2**63)): 1}
    assert table.objects.dtype == np.uint64


def test_labels_in_the_other_byte_order_are_counted():
    labels = np.array([[1, 1], [2, 300]])
    table = contingency_table(labels.astype(">u2"), labels.astype("<i4"))
    assert as_cells(table) == {(1, 1): 2, (2, 2): 1, (300, 300): 1}


def test_blocks_add_up_to_the_whole():
    rng = np.random.default_rng(1)
    truth, segmentation = rng.integers(0, 9, (8, 6, 7)), rng.integers(0, 5, (8, 6, 7))
    whole = contingency_table(truth, segmentation)
    parts = contingency_table(truth[:3], segmentation[:3]) + contingency_table(truth[3:], segmentation[3:])
    assert as_cells(parts) == as_cells(whole)
    assert np.array_equal(parts.objects, whole.objects)
    assert np.array_equal(parts.counts.toarray(), whole.counts.toarray())


def test_the_arrays_stay_as_they_are_and_may_be_read_only():
    truth = np.ones((2, 3, 4), np.uint8)
    truth.setflags(write=False)
    assert as_cells(contingency_table(truth, truth)) == {(1, 1): 24}


@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 2)])
def test_nothing_to_count_is_refused(shape):
    from sectome.checks import InputError

    with pytest.raises(InputError, match="at least one voxel that is not 0, got none"):
        contingency_table(np.zeros(shape, np.uint8), np.ones(shape, np.uint8))
