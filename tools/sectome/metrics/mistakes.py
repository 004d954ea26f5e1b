"""Locations of the splits, merges and losses of a segmentation, for inspection."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from sectome.checks import InputError, check_at_least
from sectome.metrics.contingency import ContingencyTable, check_labels, contingency_table
from sectome.metrics.overlaps import overlaps_of
from sectome.types import LabelArray


class Mistake(NamedTuple):
    """One error to correct.

    Attributes:
        kind: "split", "merge" or "lost".
        objects: id of the true object; for a merge, ids of the piece's object and the one it is merged with.
        segments: id of the segment; for a split, ids of the piece's segment and the one it is split from; empty for a
            loss.
        voxels: size of the piece.
        z: z of a voxel of the piece where it meets the other one, or in its middle.
        y: y of that voxel.
        x: x of that voxel.
    """

    kind: str
    objects: tuple[int, ...]
    segments: tuple[int, ...]
    voxels: int
    z: int
    y: int
    x: int


def mistakes(truth: Any, segmentation: Any, *, min_voxels: int = 100) -> list[Mistake]:
    """Return every split, merge and loss of an object, with its location.

    A piece is the intersection of an object and a segment, neither of them 0. An object of n pieces has n - 1 splits, a
    segment of n pieces n - 1 merges. Their pieces form a tree from the largest one along the greatest contacts, and
    each other piece is listed with its parent. Two pieces are in contact where a line along an axis leads from one to
    the other within their object (or segment), with only 0 of the segmentation (or ground truth) between them, so that
    unlabelled membranes are no obstacle. A mistake's location is the piece's contact voxel nearest to the centre of the
    contact. A piece without contact has the largest as parent, and its location is the voxel nearest to its own centre.
    An object is lost if no segment holds more of it than the segmentation's 0.

    Args:
        truth: (Z, Y, X) integer ground truth; 0 is no object.
        segmentation: (Z, Y, X) integer labels; 0 is no segment.
        min_voxels: smaller pieces are ignored; at least 1.

    Returns:
        The mistakes in descending order of voxels.

    Raises:
        InputError: if the shapes differ, an array is not (Z, Y, X) or not integer, there is no object, or
            `min_voxels` is below 1.
    """
    truth, segmentation = (
        np.ascontiguousarray(check_labels(labels, name))
        for labels, name in ((truth, "truth"), (segmentation, "segmentation"))
    )
    check_at_least(min_voxels, 1, "min_voxels")
    table = contingency_table(truth, segmentation)
    if truth.ndim != 3:
        raise InputError(f"the truth must have three axes (Z, Y, X), got shape {truth.shape}")
    turned = ContingencyTable(table.counts.T.tocsr(), table.segments, table.objects)
    rows = [
        Mistake("split", (whole,), (piece, other), voxels, *place)
        for whole, piece, other, voxels, place in _errors(truth, segmentation, table, min_voxels)
    ]
    rows += [
        Mistake("merge", (piece, other), (whole,), voxels, *place)
        for whole, piece, other, voxels, place in _errors(segmentation, truth, turned, min_voxels)
    ]
    rows += _losses(truth, segmentation, table, min_voxels)
    return sorted(rows, key=lambda row: -row.voxels)


def _errors(
    wholes: LabelArray, parts: LabelArray, table: ContingencyTable, min_voxels: int
) -> list[tuple[int, int, int, int, list[int]]]:
    """Return (whole, piece, parent piece, voxels, location) of all pieces except the largest of each whole.

    For splits the wholes are objects and the parts segments; for merges it is the other way round.
    """
    rows, columns, voxels, _ = overlaps_of(table)
    order = np.lexsort((-voxels, rows))
    order = order[voxels[order] >= min_voxels]
    rows, columns, voxels = rows[order], columns[order], voxels[order]
    largest = np.searchsorted(rows, rows)
    if np.array_equal(largest, np.arange(len(rows))):
        return []

    keys = rows * len(table.segments) + columns
    by_key = np.argsort(keys)

    def pieces_at(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the number of the piece at each flat voxel index, -1 where the piece is too small."""
        whole_rows = np.searchsorted(table.objects, wholes.ravel()[places])
        wanted = whole_rows * len(table.segments) + np.searchsorted(table.segments, parts.ravel()[places])
        found = by_key[np.minimum(np.searchsorted(keys, wanted, sorter=by_key), len(keys) - 1)]
        return np.where(keys[found] == wanted, found, -1)

    places = _contacts(wholes, parts)
    pieces = pieces_at(places)
    kept = (pieces >= 0).all(axis=1)
    # List each contact from both sides.
    places, pieces, neighbours = places[kept].T.ravel(), pieces[kept].T.ravel(), pieces[kept, ::-1].T.ravel()
    parents = _hang_up(pieces, neighbours, largest)
    hangs = parents[pieces] == neighbours
    places, pieces = places[hangs], pieces[hangs]

    lonely = np.setdiff1d(np.flatnonzero(largest != np.arange(len(rows))), pieces)
    if lonely.size:
        held = np.isin(wholes, table.objects[rows[lonely]]) & np.isin(parts, table.segments[columns[lonely]])
        inside = np.flatnonzero(held)
        inside = inside[np.isin(pieces_at(inside), lonely)]
        places, pieces = np.append(places, inside), np.append(pieces, pieces_at(inside))
    listed, middles = _middles(pieces, places, wholes.shape)
    objects, segments = table.objects[rows[listed]], table.segments[columns[listed]]
    others = table.segments[columns[parents[listed]]]
    fields = (objects, segments, others, voxels[listed].astype(int), middles)
    return list(zip(*(field.tolist() for field in fields), strict=True))


def _losses(truth: LabelArray, segmentation: LabelArray, table: ContingencyTable, min_voxels: int) -> list[Mistake]:
    """Return the lost objects, of which no segment holds more than the segmentation's 0."""
    voxels = table.counts[:, table.segments == 0].sum(axis=1)
    lost = (voxels >= min_voxels) & (voxels >= table.counts.max(axis=1).toarray().ravel())
    places = np.flatnonzero(np.isin(truth, table.objects[lost]) & (segmentation == 0))
    objects, middles = _middles(truth.ravel()[places], places, truth.shape)
    fields = zip(objects.tolist(), voxels[lost].astype(int).tolist(), middles.tolist(), strict=True)
    return [Mistake("lost", (label,), (), count, *place) for label, count, place in fields]


def _hang_up(pieces: Any, neighbours: Any, largest: Any) -> Any:
    """Return the parent of each piece, in trees that start at the largest pieces and follow the greatest contacts.

    Args:
        pieces: (C,) piece of each contact; each contact is listed from both sides.
        neighbours: (C,) piece on the other side of each contact.
        largest: (P,) for each piece the largest piece of its whole, which has the smallest number.

    Returns:
        (P + 1,) parents; the parent of the largest pieces is P.
    """
    numbers = np.arange(len(largest))
    once = pieces < neighbours
    # A link of weight 1 to the largest piece joins pieces without a contact. Links lie below the diagonal and contacts
    # above it, and the spanning tree takes the smaller of the two weights.
    links = np.where(largest == numbers, len(numbers), largest)
    weights = np.concatenate([np.full(int(once.sum()), -1.0), np.ones(len(numbers))])
    ends = np.append(pieces[once], numbers), np.append(neighbours[once], links)
    graph = sparse.csr_array((weights, ends), shape=(len(numbers) + 1, len(numbers) + 1))
    return breadth_first_order(minimum_spanning_tree(graph), len(numbers), directed=False)[1]


def _middles(groups: Any, places: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return the sorted groups, and for each the place (z, y, x) nearest to the centre of its places."""
    known, members = np.unique(groups, return_inverse=True)
    points = np.stack(np.unravel_index(places, shape), axis=1)
    sums = [np.bincount(members, coordinates, len(known)) for coordinates in points.T]
    centres = np.stack(sums, axis=1) / np.bincount(members, minlength=len(known))[:, None]
    distances = ((points - centres[members]) ** 2).sum(axis=1)
    order = np.lexsort((places, distances, members))
    return known, points[order[np.unique(members[order], return_index=True)[1]]]


def _contacts(wholes: LabelArray, parts: LabelArray) -> npt.NDArray[np.int64]:
    """Return (C, 2) flat indices of contacts: successive labelled voxels of one whole but two parts along an axis."""
    _, height, width = wholes.shape
    steps = (height * width, width, 1)
    found = [
        _contacts_along(wholes.transpose(axes), parts.transpose(axes), tuple(steps[axis] for axis in axes))
        for axes in ((0, 1, 2), (0, 2, 1), (1, 2, 0))
    ]
    return np.concatenate(found)


@njit(cache=True, nogil=True)
def _contacts_along(wholes: Any, parts: Any, steps: Any) -> Any:
    """Return the contacts along the last axis; `steps` are the strides of the axes in flat indices."""
    found, used = np.empty((1 << 12, 2), np.int64), 0
    first, second, third = wholes.shape
    for i in range(first):
        for j in range(second):
            last = -1
            for k in range(third):
                if k > 0 and wholes[i, j, k] != wholes[i, j, k - 1]:
                    last = -1
                if wholes[i, j, k] == 0 or parts[i, j, k] == 0:
                    continue
                if last >= 0 and parts[i, j, k] != parts[i, j, last]:
                    if used == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    line = i * steps[0] + j * steps[1]
                    found[used, 0], found[used, 1] = line + last * steps[2], line + k * steps[2]
                    used += 1
                last = k
    return found[:used]
