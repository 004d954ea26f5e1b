"""Region graph: which fragments touch, and their affinities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sectome.checks import check_choice
from sectome.postprocess.check_affinities import (
    affinity_unit,
    check_affinities,
    check_fragments,
    nearest_channels,
)
from sectome.postprocess.pair_sums import fill_levels, sum_slab, sum_up
from sectome.postprocess.slabs import in_threads, slabs
from sectome.types import Array, Offsets

LONG_RANGE_USES = ("no", "touching", "all")

_FLOAT_UNIT = float(1 << 24)
"""Integer units per affinity of 1. Integer sums depend neither on the order nor on the number of threads."""


@dataclass(frozen=True, eq=False)
class RegionGraph:
    """Edges between fragments.

    Attributes:
        edges: (E, 2) int64 fragment ids u < v, unique and sorted by (u, v), without the background 0.
        sums: (E,) int64 sums of the affinities between u and v; integers, so that they are exact in any order.
        counts: (E,) int64 numbers of voxel pairs summed.
        max_fragment: largest fragment id; it may have no edge.
        unit: amount that an affinity of 1 adds to a sum.
        touching: (E,) booleans, whether u and v share a face; `None` if all do.
        levels: (counts.sum(),) uint8 affinities in 0..255, edge by edge and sorted within each edge; `None` unless
            requested.
    """

    edges: npt.NDArray[np.int64]
    sums: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    max_fragment: int
    unit: float
    touching: npt.NDArray[np.bool_] | None = None
    levels: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        """Return the number of edges."""
        return len(self.edges)

    @property
    def touches(self) -> npt.NDArray[np.bool_]:
        """The (E,) booleans of `touching`, all true where it is `None`."""
        return np.ones(len(self), np.bool_) if self.touching is None else self.touching

    @property
    def means(self) -> npt.NDArray[np.float64]:
        """The (E,) mean affinities in 0..1."""
        return self.sums / (self.counts * self.unit)


def region_graph(
    affinities: Any,
    offsets: Offsets,
    fragments: Any,
    *,
    long_range: str = "touching",
    keep_levels: bool = False,
    core: Sequence[slice] | None = None,
    threads: int | None = None,
) -> RegionGraph:
    """Return the region graph: sum and count of the affinities between each two fragments.

    Two fragments touch if they share a face, and only those may merge. Long-range affinities between other pairs count
    once merging has made them neighbours.

    Args:
        affinities: (K, Z, Y, X) floats in 0..1 or uint8.
        offsets: K offsets that include `NEAREST`.
        fragments: (Z, Y, X) integer ids; 0 is background and has no edges.
        long_range: use of offsets other than `NEAREST`. "no" ignores them. "touching" adds them to the edges between
            fragments that touch, where high ones attract and low ones repel. "all" also makes edges between fragments
            that do not touch, many more where fragments are small.
        keep_levels: whether to keep each single affinity, in 256 levels, as quantiles need.
        core: slices (z, y, x) of the volume whose affinities count; their other ends may lie outside. The graphs of
            parts that cover a volume once add up to the graph of the volume. `None` is the whole volume.
        threads: `None` uses all cores; the result does not depend on it.

    Raises:
        InputError: if the affinities do not fit the offsets, or the fragments do not fit the affinities.
    """
    check_choice(long_range, LONG_RANGE_USES, "long_range")
    array, steps = check_affinities(affinities, offsets)
    nearest = list(nearest_channels(steps))
    further = [channel for channel in range(len(steps)) if channel not in nearest]
    fragments = check_fragments(fragments, array.shape[1:])
    nodes = int(fragments.max(initial=0)) + 1
    scale = 1.0 if array.dtype == np.uint8 else _FLOAT_UNIT
    step_array = np.array(steps, np.int64)
    no_rows, nothing = np.zeros(nodes + 1, np.int64), np.empty(0, np.int64)
    parts = core or [slice(0, extent) for extent in fragments.shape]
    bounds = np.array([place for part in parts for place in (part.start, part.stop)], np.int64)
    sections = [
        (first + bounds[0], last + bounds[0]) for first, last in slabs([part.stop - part.start for part in parts])
    ]

    def summed(channels: list[int], rows: Array, known: Array, stage: str) -> Array:
        """Return the sorted entries of all slabs, with equal keys added up."""
        wanted = np.array(channels, np.int64)
        work = [(array, wanted, step_array, scale, fragments, *slab, bounds, rows, known) for slab in sections]
        return sum_up(in_threads(sum_slab, work, threads, stage), nodes)

    found = summed(nearest, no_rows, nothing, "region graph")
    touching = None
    if further and (long_range == "all" or (long_range == "touching" and len(found))):
        near = found[:, 0].copy()
        rows, known = _rows(near, nodes) if long_range == "touching" else (no_rows, nothing)
        found = sum_up([found, summed(further, rows, known, "long range")], nodes)
        if long_range == "all":
            touching = np.isin(found[:, 0], near, assume_unique=True)
    keys, counts = found[:, 0], found[:, 2].copy()
    levels = None
    if keep_levels:
        wanted = np.array(nearest if long_range == "no" else [*nearest, *further], np.int64)
        level_scale = 1.0 if array.dtype == np.uint8 else 256.0
        starts = np.concatenate([[0], np.cumsum(counts)])
        levels = fill_levels(array, wanted, step_array, level_scale, fragments, bounds, *_rows(keys, nodes), starts)
    return RegionGraph(
        edges=np.stack([keys >> 32, keys & (2**32 - 1)], axis=1),
        sums=found[:, 1].copy(),
        counts=counts,
        max_fragment=nodes - 1,
        unit=scale * affinity_unit(array),
        touching=touching,
        levels=levels,
    )


def _rows(keys: Array, nodes: int) -> tuple[Array, Array]:
    """Return where the edges of each smaller end start in sorted keys, (nodes + 1,), and the greater ends, (E,)."""
    return np.concatenate([[0], np.cumsum(np.bincount(keys >> 32, minlength=nodes))]), keys & (2**32 - 1)
