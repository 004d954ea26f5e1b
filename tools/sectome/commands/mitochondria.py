"""`sectome mitochondria`: foreground and contour to objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sectome.checks import InputError, check_triple


def mitochondria(
    probabilities: str,
    output: str,
    seed_foreground: float = 0.9,
    seed_contour: float = 0.8,
    foreground: float = 0.85,
    seed_distance: float = 0.5,
    min_seed_voxels: int = 32,
    min_size_voxels: int = 128,
    voxel_size_nm: Sequence[float] = (1, 1, 1),
) -> None:
    """Turn foreground and contour, with or without distance, into mitochondria by a seeded watershed.

    Args:
        probabilities: an .npy file (2 or 3, Z, Y, X): foreground, contour, distance.
        output: the label volume to write.
        seed_foreground: seeds are where the foreground is at least this...
        seed_contour: ...and the contour below this...
        foreground: objects grow where the foreground is at least this.
        seed_distance: ...and the distance, if there is one, at least this.
        min_seed_voxels: smaller seeds are left out.
        min_size_voxels: smaller objects become background.
        voxel_size_nm: z,y,x in nm, for the labels.
    """
    from sectome.postprocess import boundary_contour_to_labels
    from sectome.volumes import write_volume

    size_nm = check_triple(voxel_size_nm, "voxel_size_nm")
    path = Path(str(probabilities))
    if path.suffix != ".npy" or not path.is_file():
        raise InputError(f"an .npy file of probabilities was expected at {path}, got none")
    maps = np.load(path, mmap_mode="r")
    if maps.ndim != 4 or maps.shape[0] not in (2, 3):
        raise InputError(f"probabilities must be (2 or 3, Z, Y, X), got shape {maps.shape}")
    labels = boundary_contour_to_labels(
        maps[:2],
        maps[2] if len(maps) == 3 else None,
        seed_foreground=seed_foreground,
        seed_contour=seed_contour,
        foreground=foreground,
        seed_distance=seed_distance,
        min_seed_voxels=min_seed_voxels,
        min_size_voxels=min_size_voxels,
    )
    write_volume(str(output), labels, voxel_size_nm=size_nm)
    print(f"wrote {output}: {int(labels.max(initial=0))} objects")
