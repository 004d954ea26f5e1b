"""Merge history: which fragments merge at which threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from sectome.checks import InputError
from sectome.postprocess.check_affinities import check_fragments
from sectome.postprocess.compact_labels import compact_lookup, count_voxels
from sectome.postprocess.union_find import find, new_sets, union
from sectome.types import Array, LabelArray


@njit(cache=True, nogil=True)
def _apply(parent: Any, merges: Any) -> None:
    """Unite the fragments of every merge, and point each fragment at the smallest id of its segment."""
    for index in range(len(merges)):
        union(parent, merges[index, 0], merges[index, 1])
    for fragment in range(parent.size):
        parent[fragment] = find(parent, fragment)


@dataclass(frozen=True, eq=False)
class MergeHistory:
    """The merges of one agglomeration in descending order of score, from which segments follow at any threshold.

    Attributes:
        merges: (M, 2) int64 fragment ids a < b, each the smallest fragment of one of the two segments that merge.
        scores: (M,) float64 scores in 0..1, not increasing.
        max_fragment: largest fragment id that a lookup must hold.
        stopped_at: threshold at which the agglomeration stopped; merges below it are unknown.
    """

    merges: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    max_fragment: int
    stopped_at: float = 0.0

    def __len__(self) -> int:
        """Return the number of merges."""
        return len(self.merges)

    def lookup_at(self, threshold: float) -> LabelArray:
        """Return the segment of every fragment after all merges with a score of at least `threshold`.

        Returns:
            (max_fragment + 1,) for each fragment id the smallest fragment id of its segment; 0 stays 0.

        Raises:
            InputError: if the threshold is below the one at which the agglomeration stopped.
        """
        if not threshold >= self.stopped_at:
            raise InputError(
                f"the threshold must not lie below {self.stopped_at:g}, where agglomeration stopped, got {threshold}"
            )
        done = int(np.searchsorted(-self.scores, -threshold, side="right"))
        lookup = new_sets(self.max_fragment + 1)
        _apply(lookup, self.merges[:done])
        return lookup

    def labels_at(self, threshold: float, fragments: Any, *, min_size_voxels: int = 0) -> LabelArray:
        """Return the segments of a fragment volume at a threshold.

        Args:
            threshold: least score of the merges to apply.
            fragments: (Z, Y, X) integers that were agglomerated; 0 stays background.
            min_size_voxels: smaller segments become background.

        Returns:
            (Z, Y, X) segments 1..N in the smallest unsigned type.

        Raises:
            InputError: as `lookup_at`, and if a fragment id exceeds `max_fragment`.
        """
        fragments = check_fragments(fragments)
        sizes = count_voxels(fragments)
        if len(sizes) > self.max_fragment + 1:
            raise InputError(
                f"fragment ids must not exceed {self.max_fragment}, the history's last, got {len(sizes) - 1}"
            )
        return labels_of_lookup(self.lookup_at(threshold), fragments, sizes, min_size_voxels)


def labels_of_lookup(lookup: LabelArray, fragments: LabelArray, sizes: Array, min_size_voxels: int = 0) -> LabelArray:
    """Return (Z, Y, X) segments 1..N of fragments by a lookup, in the smallest unsigned type.

    Args:
        lookup: (M,) segment of each fragment id, as the id of one of its fragments.
        fragments: (Z, Y, X) checked fragments with ids below M.
        sizes: (at most M,) voxels of each fragment.
        min_size_voxels: smaller segments become background, 0.
    """
    # The lookups are combined per fragment, so the volume is read and written once.
    segments = lookup[: len(sizes)]
    voxels = np.bincount(segments, weights=sizes).astype(np.int64)
    return compact_lookup(voxels, min_size_voxels)[segments][fragments]
