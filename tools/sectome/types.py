"""Axis orders and the types that carry them.

Arrays are (Z, Y, X); with channels (C, Z, Y, X); batched (B, C, Z, Y, X); affinities are (K, Z, Y, X), one channel per
offset. Lengths along axes, voxel sizes and offsets are always given z first. No other order is used between a reader
and a writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

AXES = ("z", "y", "x")

RANGES = ("sections", "rows", "columns")
"""Names of voxel ranges along (z, y, x)."""

Array: TypeAlias = npt.NDArray[Any]
FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
LabelArray: TypeAlias = npt.NDArray[np.integer[Any]]

UNKNOWN_FROM = 2**63
"""Ids of unsigned labels from here on mark voxels that nobody labelled, as in CREMI."""

Shape3: TypeAlias = tuple[int, int, int]
"""Voxels along (z, y, x)."""

Box: TypeAlias = tuple[slice, slice, slice]
"""Slices along (z, y, x) with starts, stops and positive steps."""

VoxelSize: TypeAlias = tuple[float, float, float]
"""Edge lengths of a voxel in nm along (z, y, x)."""

Offset: TypeAlias = tuple[int, int, int]
"""A step in voxels along (z, y, x); see `sectome.neighbourhoods`."""

Offsets: TypeAlias = Sequence[Sequence[int]]
"""Several offsets: tuples in code, lists when they come from a config."""

Channels: TypeAlias = Offsets | Sequence[str]
"""The channels of a prediction: affinities, by one offset per channel, or other maps, by their names."""
