"""Which fragments merge at which threshold."""

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
    """Join the fragments of every merge, and point each at the smallest id of its segment."""
    for index in range(len(merges)):
        union(parent, merges[index, 0], merges[index, 1])
    for fragment in range(parent.size):
        parent[fragment] = find(parent, fragment)


@dataclass(frozen=True, eq=False)
class MergeHistory:
    """The merges of one agglomeration, from the surest to the last: every threshold without another pass.

    Attributes:
        merges: (M, 2) int64 fragment ids a < b, each the smallest fragment of one of the two segments that merge.
        scores: (M,) float64 in 0..1, not increasing.
        max_fragment: the largest fragment id that a lookup must hold.
        stopped_at: the threshold at which the agglomeration stopped; below it nothing is known.
    """

    merges: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    max_fragment: int
    stopped_at: float = 0.0

    def __len__(self) -> int:
        """Return the number of merges."""
        return len(self.merges)

    def lookup_at(self, threshold: float) -> LabelArray:
        """Return the segment of every fragment when merges scored `threshold` or more are done.

        Returns:
            (max_fragment + 1,) smallest fragment id of the segment at every fragment id; 0 stays 0.

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
            threshold: merges scored this or more are done.
            fragments: (Z, Y, X) integers that were agglomerated; 0 stays background.
            min_size_voxels: smaller segments become background.

        Returns:
            (Z, Y, X) segments 1..N in the smallest unsigned type.

        Raises:
            InputError: as `lookup_at`, and if a fragment id is larger than the history knows.
        """
        fragments = check_fragments(fragments)
        sizes = count_voxels(fragments)
        if len(sizes) > self.max_fragment + 1:
            raise InputError(
                f"fragment ids must not exceed {self.max_fragment}, the history's last, got {len(sizes) - 1}"
            )
        return labels_of_lookup(self.lookup_at(threshold), fragments, sizes, min_size_voxels)


def labels_of_lookup(lookup: LabelArray, fragments: LabelArray, sizes: Array, min_size_voxels: int = 0) -> LabelArray:
    """Return the segments (Z, Y, X) of fragments by a lookup: 1..N in the smallest type, small ones background.

    Args:
        lookup: (M,) the segment of every fragment id, as an id of one of its fragments.
        fragments: (Z, Y, X) checked fragments, ids below M.
        sizes: (at most M,) voxels of every fragment.
        min_size_voxels: segments with fewer become 0.
    """
    # One look-up of fragments instead of two of voxels: the volume is read and written once.
    segments = lookup[: len(sizes)]
    voxels = np.bincount(segments, weights=sizes).astype(np.int64)
    return compact_lookup(voxels, min_size_voxels)[segments][fragments]
