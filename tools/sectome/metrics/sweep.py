"""Scores at many thresholds of one agglomeration, from one contingency table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sectome.checks import InputError
from sectome.metrics.adapted_rand_error import adapted_rand_error_of
from sectome.metrics.contingency import contingency_table
from sectome.metrics.variation_of_information import variation_of_information_of
from sectome.postprocess.merge_history import MergeHistory


class ScoreRow(NamedTuple):
    """The scores of one threshold; see `adapted_rand_error` and `variation_of_information`."""

    threshold: float
    are: float
    voi_split: float
    voi_merge: float

    @property
    def voi(self) -> float:
        """Sum of split and merge in bits, the best criterion for a threshold."""
        return self.voi_split + self.voi_merge


def score_row(threshold: float, counts: sparse.csr_array) -> ScoreRow:
    """Return the scores of (objects, segments) voxel counts at a threshold."""
    return ScoreRow(threshold, adapted_rand_error_of(counts), *variation_of_information_of(counts))


def scores_by_threshold(
    truth: Any,
    fragments: Any,
    history: MergeHistory,
    thresholds: Iterable[float],
    ignore_label: int | None = 0,
) -> list[ScoreRow]:
    """Return the scores of the segmentation at each threshold, in the order given.

    This equals scoring ``history.labels_at(threshold, fragments)``, but reads the volumes once. The time per threshold
    depends on the contingency table of the fragments alone.

    Args:
        truth: (Z, Y, X) integer ground truth.
        fragments: (Z, Y, X) integer fragments that were agglomerated.
        history: merges of the fragments.
        thresholds: one or more.
        ignore_label: ground truth label to leave out, or `None`.

    Raises:
        InputError: if an array does not fit the others, no threshold is given, or one lies below the history's end.
    """
    values = [float(threshold) for threshold in thresholds]
    if not values:
        raise InputError("thresholds must hold at least one number, got none")
    table = contingency_table(truth, fragments, ignore_label)
    largest = int(table.segments.max())
    if largest > history.max_fragment:
        raise InputError(f"fragment ids must not exceed {history.max_fragment}, the history's last, got {largest}")
    rows = []
    for threshold in values:
        _, segments = np.unique(history.lookup_at(threshold)[table.segments], return_inverse=True)
        join = sparse.csr_array((np.ones(len(segments)), (np.arange(len(segments)), segments)))
        counts = table.counts @ join
        rows.append(score_row(threshold, counts))
    return rows
