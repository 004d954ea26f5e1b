"""A check of a fetched volume against its description in the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.datasets.progress_bar import progress_bar
from sectome.datasets.public_set import PublicSet, PublicVolume
from sectome.types import UNKNOWN_FROM, Array
from sectome.volumes import Volume, open_volume
from sectome.volumes.blocks import CHUNK, iterate_blocks


def check_volume(folder: Path, public: PublicSet, expected: PublicVolume) -> dict[str, Any]:
    """Check a volume; return its "shape", "dtype", "voxel_size_nm" and, for labels, "ids" and "unlabelled_voxels".

    Raises:
        InputError: If the volume is missing or damaged, or its shape, voxel size, type or ids differ from the table.
    """
    volume = open_volume(folder / expected.path)
    name = f"{expected.path} of {public.name}"
    if volume.shape != expected.shape:
        raise InputError(f"expected shape {expected.shape} of {name}, got {volume.shape}")
    stored = volume.voxel_size_nm
    if stored is not None and not np.allclose(stored, public.voxel_size_nm, rtol=1e-3, atol=0):
        raise InputError(f"expected a voxel size of {public.voxel_size_nm} nm in {name}, got {stored}")
    found = {
        "shape": list(volume.shape),
        "dtype": volume.dtype.name,
        "voxel_size_nm": list(public.voxel_size_nm),
    }
    if expected.ids is None:
        return found
    if volume.dtype.kind not in "iu":
        raise InputError(f"expected integer labels in {name}, got {volume.dtype}")
    least, greatest, unlabelled = _scan_ids(volume, f"check {expected.path}")
    if not expected.ids[0] <= least <= greatest <= expected.ids[1]:
        got = f"{least} to {greatest}" if greatest else "none"
        raise InputError(f"expected ids within {expected.ids[0]} and {expected.ids[1]} in {name}, got {got}")
    return {**found, "ids": [least, greatest], "unlabelled_voxels": unlabelled}


def _scan_ids(volume: Volume, title: str) -> tuple[int, int, int]:
    """Return the least and greatest non-zero id, both 0 if there is none, and the number of unlabelled voxels."""
    lows, highs, unlabelled = [], [], 0
    with progress_bar(title, volume.nbytes) as bar:
        for box in iterate_blocks(volume, CHUNK):
            block: Array = volume[box]
            ids = block[block != 0]
            if volume.dtype == np.uint64:
                is_unlabelled = ids >= UNKNOWN_FROM
                unlabelled += int(np.count_nonzero(is_unlabelled))
                ids = ids[~is_unlabelled]
            if ids.size:
                lows.append(int(ids.min()))
                highs.append(int(ids.max()))
            bar.update(block.nbytes)
    return min(lows, default=0), max(highs, default=0), unlabelled
