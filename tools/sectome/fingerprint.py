"""Fingerprints that identify an input without reading all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sectome.trained_settings import settings_path
from sectome.types import RANGES, Array

_PLACES = 16
_SAMPLE = (4, 32, 32)


def identify_input(
    volume: Any, voxel_size_nm: Sequence[float], box: Sequence[Sequence[int]], mask: Any
) -> dict[str, Any]:
    """Return what identifies the input of a prediction.

    Args:
        volume: grey values (Z, Y, X).
        voxel_size_nm: (z, y, x).
        box: (start, stop) of what is predicted along (z, y, x).
        mask: of the volume's shape, 0 where nothing is wanted; None without.
    """
    return {
        "volume": _identify(volume, voxel_size_nm),
        **{name: list(part) for name, part in zip(RANGES, box, strict=True)},
        "mask": None if mask is None else _identify(mask, voxel_size_nm),
    }


def _identify(volume: Any, voxel_size_nm: Sequence[float]) -> dict[str, Any]:
    """Return what identifies a volume (Z, Y, X): name, shape, type, voxel size, offset and fingerprint."""
    return {
        "name": volume.name,
        "shape": list(volume.shape),
        "dtype": str(volume.dtype),
        "voxel_size_nm": list(voxel_size_nm),
        "offset_nm": list(volume.offset_nm),
        "sample": fingerprint(volume.shape, lambda box: volume[tuple(box)]),
    }


def fingerprint(shape: Sequence[int], read: Callable[[Sequence[slice]], Array]) -> str:
    """Return a hash of the values in 16 small boxes spread over a volume.

    Args:
        shape: voxels (Z, Y, X).
        read: returns the values of a box.
    """
    digest = hashlib.sha256()
    corners = [
        np.linspace(0, max(0, extent - size), _PLACES).astype(int) for extent, size in zip(shape, _SAMPLE, strict=True)
    ]
    for number in range(_PLACES):
        # Different steps, coprime to the number of places, keep the boxes off a single diagonal.
        at = [axis[number * step % _PLACES] for axis, step in zip(corners, (1, 5, 11), strict=True)]
        box = [
            slice(int(first), min(int(first) + size, extent))
            for first, size, extent in zip(at, _SAMPLE, shape, strict=True)
        ]
        digest.update(np.ascontiguousarray(read(box)).tobytes())
    return digest.hexdigest()


def identify_model(checkpoint: str | Path) -> dict[str, str]:
    """Return what identifies a model: hashes of its weights, and of the settings that change what they predict."""
    return {
        "checkpoint": str(checkpoint),
        "sha256": file_hash(checkpoint),
        "settings_sha256": file_hash(settings_path(checkpoint)),
    }


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
