"""A short description of a volume, from a few of its sections."""

from __future__ import annotations

from typing import Any

import numpy as np

from sectome.types import UNKNOWN_FROM
from sectome.volumes.blocks import CHUNK, iterate_blocks
from sectome.volumes.progress import watched
from sectome.volumes.sampling import is_label_like, sampled_sections
from sectome.volumes.volume import Volume


def describe_volume(volume: Volume) -> dict[str, Any]:
    """Return what `sectome info` shows, in JSON-serialisable types.

    Five sections spread over the volume are read, one at a time. A float volume is also read whole, in slabs.

    Returns:
        `name`, `shape` (Z, Y, X), `dtype`, `voxel_size_nm` and `extent_um` along (z, y, x) or None, `offset_nm`,
        `levels` (`dataset`, `shape` and `voxel_size_nm` of each resolution, empty without a pyramid), `memory_bytes`,
        `sampled_sections` (their z), `min`, `max` and `mean` over the finite voxels of these sections (None if there
        are none), `not_finite` (number of NaN or infinite voxels in the volume; None unless it holds floats), and `ids`
        (number of ids in the sampled sections if they look like labels, else None). Background (0) and ids that mean
        "unknown" (negative, or from 2**63 on) are not counted.
    """
    sampled = sampled_sections(volume.shape[0])
    lows, highs, total, count = [], [], 0.0, 0
    ids: set[int] | None = set() if volume.dtype.kind in "iu" else None
    for z in sampled:
        section = volume[z]
        finite = section[np.isfinite(section)]
        if finite.size:
            lows.append(finite.min().item())
            highs.append(finite.max().item())
            total += float(finite.sum(dtype=np.float64))
            count += finite.size
        if ids is not None:
            ids = ids.union(np.unique(section).tolist()) if is_label_like(section) else None
    size = volume.voxel_size_nm
    return {
        "name": volume.name,
        "shape": list(volume.shape),
        "dtype": volume.dtype.name,
        "voxel_size_nm": None if size is None else list(size),
        "extent_um": None
        if size is None
        else [round(extent * length / 1e3, 6) for extent, length in zip(volume.shape, size, strict=True)],
        "offset_nm": list(volume.offset_nm),
        "levels": [
            {
                "dataset": level.dataset,
                "shape": list(level.shape),
                "voxel_size_nm": None if level.voxel_size_nm is None else list(level.voxel_size_nm),
            }
            for level in volume.levels
        ],
        "memory_bytes": volume.nbytes,
        "sampled_sections": sampled,
        "min": min(lows, default=None),
        "max": max(highs, default=None),
        "mean": total / count if count else None,
        "not_finite": _count_not_finite(volume) if volume.dtype.kind == "f" else None,
        "ids": sum(0 < number < UNKNOWN_FROM for number in ids) if ids else None,
    }


def _count_not_finite(volume: Volume) -> int:
    with watched(volume, f"read {volume.path.name}") as slabs:
        blocks = iterate_blocks(volume, CHUNK)
        return sum(int(np.count_nonzero(~np.isfinite(slabs[box]))) for box in blocks)
