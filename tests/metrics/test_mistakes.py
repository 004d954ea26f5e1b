"""Splits, merges and losses: drawn by hand, and against a slow twin."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectome.checks import InputError
from sectome.metrics import Mistake, mistakes


def reference_contacts(wholes, parts):
    """From every voxel along every axis to the next labelled one of its whole: {(whole, part, part): voxels}."""
    contacts = defaultdict(list)
    for place in np.argwhere((wholes != 0) & (parts != 0)):
        for step in np.concatenate([np.eye(3, dtype=int), -np.eye(3, dtype=int)]):
            here, there = tuple(place), tuple(place + step)
            while all(0 <= c < n for c, n in zip(there, wholes.shape, strict=True)) and wholes[there] == wholes[here]:
                if parts[there]:
                    if parts[there] != parts[here]:
                        contacts[wholes[here], parts[here], parts[there]].append(here)
                    break
                there = tuple(there + step)
    return contacts


def reference_trees(pieces, contacts):
    """Prim's algorithm from the largest piece of each whole: {whole: total contact of the tree}."""
    totals = {}
    for whole in {whole for whole, _ in pieces}:
        rest = sorted((part for one, part in pieces if one == whole), key=lambda part: -pieces[whole, part])
        tree, total = [rest.pop(0)], 0
        while rest:
            count, part = max((len(contacts.get((whole, a, b), ())), a) for a in rest for b in tree)
            total += count
            tree.append(part)
            rest.remove(part)
        totals[whole] = total
    return totals


def check_errors(rows, wholes, parts, min_voxels):
    """Check rows (whole, piece, other, voxels, place) of one kind."""
    counts = Counter(zip(wholes.ravel().tolist(), parts.ravel().tolist(), strict=True))
    pieces = {pair: count for pair, count in counts.items() if 0 not in pair and count >= min_voxels}
    contacts = reference_contacts(wholes, parts)
    contacts = {key: at for key, at in contacts.items() if {key[:2], key[::2]} <= set(pieces)}
    totals = Counter()
    left_out = dict(pieces)
    for whole, piece, other, voxels, place in rows:
        assert left_out.pop((whole, piece)) == voxels
        assert pieces[whole, other]
        assert (wholes[place], parts[place]) == (whole, piece)
        at = contacts.get((whole, piece, other), [])
        totals[whole] += len(at)
        points = np.array(at or np.argwhere((wholes == whole) & (parts == piece)))
        distances = np.linalg.norm(points - points.mean(axis=0), axis=1)
        assert place in set(map(tuple, points.tolist()))
        assert np.linalg.norm(place - points.mean(axis=0)) == pytest.approx(distances.min())
    # What has no row is one piece a whole, and none is larger.
    assert sorted(whole for whole, _ in left_out) == sorted({whole for whole, _ in pieces})
    for whole, part in left_out:
        assert pieces[whole, part] == max(count for pair, count in pieces.items() if pair[0] == whole)
    assert totals == Counter(reference_trees(pieces, contacts))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), ids=st.integers(1, 5), min_voxels=st.integers(1, 4), coarse=st.booleans())
def test_the_rows_agree_with_the_reference(seed, ids, min_voxels, coarse):
    rng = np.random.default_rng(seed)
    truth, segmentation = (rng.integers(0, ids + 1, (3, 4, 5)) * factor for factor in (1, 10))
    if coarse:
        truth = np.kron(truth, np.ones((1, 2, 2), int))
        segmentation = np.kron(segmentation[:2, :, :2], np.ones((2, 2, 5), int))[:3]
        segmentation[rng.random(truth.shape) < 0.2] = 0
    truth[0, 0, 0] = 1
    before = truth.copy(), segmentation.copy()
    rows = mistakes(truth, segmentation, min_voxels=min_voxels)
    splits = [(*row.objects, *row.segments, row.voxels, row[4:]) for row in rows if row.kind == "split"]
    merges = [(*row.segments, *row.objects, row.voxels, row[4:]) for row in rows if row.kind == "merge"]
    check_errors(splits, truth, segmentation, min_voxels)
    check_errors(merges, segmentation, truth, min_voxels)
    counts = Counter(zip(truth.ravel().tolist(), segmentation.ravel().tolist(), strict=True))
    lost = {
        label: counts[label, 0]
        for label in set(truth.ravel().tolist()) - {0}
        if counts[label, 0] >= max(min_voxels, *(n for (one, other), n in counts.items() if one == label))
    }
    assert {row.objects[0]: row.voxels for row in rows if row.kind == "lost"} == lost
    assert [row.voxels for row in rows] == sorted((row.voxels for row in rows), reverse=True)
    assert rows == mistakes(truth, segmentation, min_voxels=min_voxels)
    np.testing.assert_array_equal(truth, before[0])
    np.testing.assert_array_equal(segmentation, before[1])


def neuron(shape=(3, 5, 12)):
    """Object 7 along x, three voxels high and wide, between unlabelled borders."""
    truth = np.zeros(shape, np.uint8)
    truth[:, 1:4] = 7
    return truth


def test_a_split_is_shown_at_the_middle_of_the_contact_in_the_smaller_piece():
    truth = neuron()
    segmentation = np.full(truth.shape, 20)
    segmentation[:, :, 8:] = 30
    assert mistakes(truth, segmentation, min_voxels=1) == [Mistake("split", (7,), (30, 20), 3 * 3 * 4, 1, 2, 8)]


def test_a_chain_of_pieces_hangs_on_the_largest_each_at_its_own_contact():
    truth = neuron()
    segmentation = np.full(truth.shape, 20)
    segmentation[:, :, 5:8] = 30
    segmentation[:, :, 8:] = 40
    assert mistakes(truth, segmentation, min_voxels=1) == [
        Mistake("split", (7,), (40, 30), 36, 1, 2, 8),
        Mistake("split", (7,), (30, 20), 27, 1, 2, 5),
    ]


def test_a_merge_is_shown_where_the_objects_meet_even_across_an_unlabelled_membrane():
    truth = neuron()
    truth[:, 1:4, 7:] = 9
    segmentation = np.full(truth.shape, 20)
    assert mistakes(truth, segmentation, min_voxels=1) == [Mistake("merge", (9, 7), (20,), 45, 1, 2, 7)]
    truth[:, :, 6:9] = 0
    assert mistakes(truth, segmentation, min_voxels=1) == [Mistake("merge", (9, 7), (20,), 27, 1, 2, 9)]


def test_a_piece_that_touches_none_is_shown_in_its_own_middle():
    truth = neuron()
    segmentation = np.full(truth.shape, 20)
    segmentation[:, :, 5:] = 30
    truth[:, :, 4:7] = 0
    assert mistakes(truth, segmentation, min_voxels=1) == [Mistake("split", (7,), (20, 30), 36, 1, 2, 1)]


def test_an_object_is_lost_if_no_segment_holds_more_than_nothing_does():
    truth = neuron()
    segmentation = np.zeros(truth.shape, np.int16)
    segmentation[:, :, :6] = 20
    assert mistakes(truth, segmentation) == []
    assert mistakes(truth, segmentation, min_voxels=54) == [Mistake("lost", (7,), (), 54, 1, 2, 8)]
    segmentation[:, :, 5] = 0
    (row,) = mistakes(truth, segmentation, min_voxels=1)
    assert (row.kind, row.voxels) == ("lost", 63)
    segmentation[:, :, 5:7] = 20
    assert mistakes(truth, segmentation, min_voxels=1) == []


def test_small_pieces_are_not_listed():
    truth = neuron()
    segmentation = np.full(truth.shape, 20)
    segmentation[:, :, 8:] = 30
    assert len(mistakes(truth, segmentation, min_voxels=36)) == 1
    assert mistakes(truth, segmentation, min_voxels=37) == []


def test_what_is_right_has_no_mistakes_whatever_the_ids():
    truth = neuron().astype(np.uint64) << np.uint64(60)
    assert mistakes(truth, -(truth.astype(np.int64)), min_voxels=1) == []


def test_rows_are_plain_and_become_dictionaries():
    truth = neuron().astype(np.uint64) << np.uint64(60)
    segmentation = np.where(np.arange(12) < 5, -(2**63), -1) + np.zeros(truth.shape, int)
    (row,) = mistakes(np.asfortranarray(truth), segmentation, min_voxels=1)
    assert row._asdict() == {
        "kind": "split", "objects": (7 << 60,), "segments": (-(2**63), -1), "voxels": 45, "z": 1, "y": 2, "x": 4
    }  # fmt: skip
    assert all(type(value) is int for value in (*row.objects, *row.segments, *row[3:]))


def test_more_contacts_than_the_first_array_holds_are_fine():
    truth = np.ones((2, 60, 120), np.uint8)
    segmentation = 1 + np.indices(truth.shape).sum(axis=0) % 2
    (row,) = mistakes(truth, segmentation)
    assert row[:4] == ("split", (1,), (2, 1), 7200)


def test_what_cannot_be_compared_is_refused():
    truth = neuron()
    with pytest.raises(InputError, match=r"the truth's shape \(3, 5, 12\), got \(2, 5, 12\)"):
        mistakes(truth, truth[1:])
    with pytest.raises(InputError, match="the truth must hold integer labels, got float64"):
        mistakes(truth.astype(float), truth)
    with pytest.raises(InputError, match=r"three axes \(Z, Y, X\), got shape \(5, 12\)"):
        mistakes(truth[0], truth[0])
    with pytest.raises(InputError, match="at least one voxel that is not 0, got none"):
        mistakes(0 * truth, truth)
    with pytest.raises(InputError, match="min_voxels must be a number of at least 1, got 0"):
        mistakes(truth, truth, min_voxels=0)
