"""Small tissue and affinities that leave no symmetry for a swapped axis to hide in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from sectome.affinities import labels_to_affinities
from sectome.neighbourhoods import NEAREST


@pytest.fixture(scope="session")
def random_affinities() -> Callable[..., np.ndarray]:
    """Affinities (K, Z, Y, X) of noise; with `levels`, of few values, so that ties are common."""

    def make(seed: int, shape=(5, 7, 9), channels: int = 3, levels: int | None = None) -> np.ndarray:
        rng = np.random.default_rng(seed)
        if levels is None:
            return rng.random((channels, *shape), dtype=np.float32)
        return (rng.integers(0, levels + 1, (channels, *shape)) / levels).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def bodies() -> np.ndarray:
    """Labels (12, 40, 48) of 20 touching convex bodies in voxels of 30 x 6 x 8 nm, each of one piece."""
    rng = np.random.default_rng(3)
    shape, size = (12, 40, 48), np.array([30.0, 6.0, 8.0])
    centres = np.stack([rng.integers(0, extent, 20) for extent in shape], axis=1)
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    distances = np.linalg.norm((voxels[..., None, :] - centres) * size, axis=-1)
    labels = distances.argmin(axis=-1) + 1
    for label in range(1, 21):
        _, count = ndimage.label(labels == label)
        assert count == 1, f"body {label} has {count} pieces"
    return labels


@pytest.fixture(scope="session")
def cells(bodies) -> np.ndarray:
    """The bodies with every fifth one turned into background."""
    return np.where(bodies % 5 == 0, 0, bodies)


@pytest.fixture(scope="session")
def predicted() -> Callable[..., np.ndarray]:
    """Affinities as a network might give them: membranes two voxels thick, soft, noisy, with faint patches."""

    def make(labels: np.ndarray, seed: int = 0, offsets=NEAREST) -> np.ndarray:
        rng = np.random.default_rng(seed)
        apart = (labels_to_affinities(labels, NEAREST)[0] == 0) & (labels_to_affinities(labels, NEAREST)[1] == 1)
        membrane = apart[1] | apart[2] | np.roll(apart[1], -1, axis=1) | np.roll(apart[2], -1, axis=2)
        true = labels_to_affinities(np.where(membrane, 0, labels), offsets)[0].astype(float)
        soft = np.stack([ndimage.gaussian_filter(channel, (0.3, 0.8, 0.8)) for channel in true])
        patches = ndimage.gaussian_filter(rng.normal(size=labels.shape), (1, 3, 3))
        noise = 0.7 * rng.normal(size=true.shape) + 0.7 * patches / patches.std()
        return (1 / (1 + np.exp(-(8 * soft - 4 + noise)))).astype(np.float32)

    return make
