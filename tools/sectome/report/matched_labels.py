"""Matching of segment ids to the ground truth, so that a correct segment has the correct colour."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from sectome.types import LabelArray


def match_labels(segmentations: Sequence[LabelArray], truths: Sequence[LabelArray]) -> list[LabelArray]:
    """Return the segmentations, with each segment's id replaced by that of the true object that it matches.

    A segment and an object match if each has its largest overlap with the other. A segment without a match, a split or
    merged part, gets an id that the ground truth does not have.

    Args:
        segmentations: integer arrays; 0 is background, and an id is one segment in all of them.
        truths: integer ground truth arrays of the same shapes.

    Returns:
        uint64 arrays of the same shapes.
    """
    segments, segment_index = np.unique(np.concatenate([array.ravel() for array in segmentations]), return_inverse=True)
    objects, object_index = np.unique(np.concatenate([array.ravel() for array in truths]), return_inverse=True)
    pairs, overlaps = np.unique(segment_index * len(objects) + object_index, return_counts=True)
    best_object: dict[int, int] = {}
    best_segment: dict[int, int] = {}
    for pair in pairs[np.argsort(-overlaps, kind="stable")]:
        segment, true_object = (int(label) for label in (segments[pair // len(objects)], objects[pair % len(objects)]))
        if segment and true_object:
            best_object.setdefault(segment, true_object)
            best_segment.setdefault(true_object, segment)
    known = {0, *(int(true_object) for true_object in objects)}
    new = (candidate for candidate in itertools.count(1) if candidate not in known)
    table = np.zeros(len(segments), np.uint64)
    for row, segment in enumerate(int(label) for label in segments):
        if segment:
            matched = segment in best_object and best_segment[best_object[segment]] == segment
            table[row] = best_object[segment] if matched else next(new)
    return [table[np.searchsorted(segments, array)] for array in segmentations]
