"""A short description of a volume from a few of its sections."""

from __future__ import annotations

from typing import Any

import numpy as np

from sectome.types import Array
from sectome.volumes.volume import Volume

_SECTIONS_TO_SAMPLE = 5
_LABEL_LIKE = 0.8


def describe_volume(volume: Volume) -> dict[str, Any]:
    """Return what `sectome info` shows, in types that JSON knows.

    Five sections spread over the volume are read, one at a time.

    Returns:
        `name`, `shape` (Z, Y, X), `dtype`, `voxel_size_nm` and `extent_um` along (z, y, x) or None, `memory_bytes`,
        `sampled_sections` (their z), `min`, `max`, `mean` over the finite voxels of these (None without any), and
        `ids`: the number of ids but 0 in them if they look like labels, else None.
    """
    sampled = sorted({int(z) for z in np.linspace(0, volume.shape[0] - 1, _SECTIONS_TO_SAMPLE).round()})
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
            ids = ids.union(np.unique(section).tolist()) if _is_label_like(section) else None
    size = volume.voxel_size_nm
    return {
        "name": volume.name,
        "shape": list(volume.shape),
        "dtype": volume.dtype.name,
        "voxel_size_nm": None if size is None else list(size),
        "extent_um": None
        if size is None
        else [round(extent * length / 1e3, 6) for extent, length in zip(volume.shape, size, strict=True)],
        "memory_bytes": volume.nbytes,
        "sampled_sections": sampled,
        "min": min(lows, default=None),
        "max": max(highs, default=None),
        "mean": total / count if count else None,
        "ids": len(ids - {0}) if ids else None,
    }


def _is_label_like(section: Array) -> bool:
    """Return whether neighbours along x mostly agree, as they do within objects and hardly in an image with noise."""
    left, right = section[:, :-1], section[:, 1:]
    in_objects = (left != 0) | (right != 0)
    return bool((left == right)[in_objects].mean() >= _LABEL_LIKE) if in_objects.any() else True
