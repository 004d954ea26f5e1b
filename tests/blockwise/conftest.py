"""A small block of tissue with affinities as a network gives them, and runs of its blocks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from sectome.affinities import labels_to_affinities
from sectome.affinity_file import StoredAffinities, write_affinities
from sectome.blockwise import NeuronPlan, Plan, plan_neurons
from sectome.blockwise.stages import do_block, stages_of
from sectome.map_file import StoredMaps
from sectome.neighbourhoods import LONG_RANGE, NEAREST
from sectome.postprocess import SegmentationOptions, boundary_contour_to_labels
from sectome.transforms import boundary_contour, distance_targets

SIZE_NM = (16.0, 8.0, 8.0)

MITOCHONDRIA_OPTIONS = {
    "foreground": 0.5,
    "seed_contour": 0.5,
    "seed_foreground": 0.6,
    "min_seed_voxels": 8,
    "min_size_voxels": 60,
}
"""How the maps become mitochondria."""


def make_tissue() -> np.ndarray:
    """Return labels (48, 130, 140) of about 700 touching bodies, a tenth of them background."""
    rng = np.random.default_rng(5)
    shape = (48, 130, 140)
    seeds = np.zeros(shape, int)
    places = tuple(rng.integers(0, extent, 700) for extent in shape)
    seeds[places] = np.arange(1, 701)
    nearest = ndimage.distance_transform_edt(seeds == 0, sampling=SIZE_NM, return_distances=False, return_indices=True)
    labels = seeds[tuple(nearest)]
    return np.where(labels % 10 == 0, 0, labels)


def make_affinities(tissue: np.ndarray, path: Path) -> StoredAffinities:
    """Write affinities of labels with soft membranes, noise and faint patches."""
    rng = np.random.default_rng(0)
    apart = labels_to_affinities(tissue, NEAREST)[0] == 0
    membrane = apart.any(axis=0) | np.roll(apart[1], -1, axis=1) | np.roll(apart[2], -1, axis=2)
    true = labels_to_affinities(np.where(membrane, 0, tissue), LONG_RANGE)[0].astype(float)
    soft = np.stack([ndimage.gaussian_filter(channel, (0.4, 0.8, 0.8)) for channel in true])
    patches = ndimage.gaussian_filter(rng.normal(size=tissue.shape), (2, 3, 3))
    noise = 0.7 * rng.normal(size=true.shape) + 0.7 * patches / patches.std()
    write_affinities(path, 1 / (1 + np.exp(-(8 * soft - 4 + noise))), LONG_RANGE, SIZE_NM)
    return StoredAffinities(path)


@pytest.fixture(scope="session")
def tissue() -> np.ndarray:
    """Labels of about 700 bodies."""
    return make_tissue()


@pytest.fixture(scope="session")
def affinities(tissue: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> StoredAffinities:
    """Affinities of them on disk."""
    return make_affinities(tissue, tmp_path_factory.mktemp("affinities") / "predicted.zarr")


@pytest.fixture(scope="session")
def predicted(tissue: np.ndarray) -> np.ndarray:
    """Foreground, contour and distance (3, 48, 130, 140) of every third body, soft and noisy."""
    bodies = torch.from_numpy(np.where(tissue % 3 == 0, tissue, 0))
    targets, _ = boundary_contour(bodies, in_plane=False)
    distance = distance_targets(bodies, SIZE_NM, scale_nm=20)[0][0].numpy()
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(3, *tissue.shape)), (0, 1, 1, 1))
    noise /= noise.std()
    soft = ndimage.gaussian_filter(targets.numpy().astype(float), (0, 0.3, 0.6, 0.6))
    maps = 1 / (1 + np.exp(4 - 8 * soft + noise[:2]))
    return np.concatenate([maps, np.clip(distance + 0.2 * noise[2], -1, 1)[None]]).astype(np.float32)


@pytest.fixture(scope="session")
def maps(predicted: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> StoredMaps:
    """Foreground and contour as `sectome predict` stores them."""
    path = tmp_path_factory.mktemp("maps") / "maps.zarr"
    write_affinities(path, predicted[:2], ("foreground", "contour"), SIZE_NM)
    return StoredMaps(path)


def whole_mitochondria(source: StoredMaps, **options: Any) -> np.ndarray:
    """Return the objects of maps that are read whole."""
    values = source.read_all()
    return boundary_contour_to_labels(
        values[:2], values[2] if len(values) == 3 else None, **{**MITOCHONDRIA_OPTIONS, **options}
    )


MakePlan = Callable[..., NeuronPlan]


@pytest.fixture
def plan_of(affinities: StoredAffinities, tmp_path: Path) -> MakePlan:
    """Return a plan over blocks of 32 x 64 x 64 voxels, as far as nothing else is said."""

    def make(name: str = "out", **options: Any) -> NeuronPlan:
        sizes = {"block_voxels": options.pop("block_voxels", (32, 64, 64))}
        sizes["context_voxels"] = options.pop("context_voxels", (12, 24, 24))
        sizes["group_blocks"] = options.pop("group_blocks", (1, 2, 2))
        source = options.pop("source", affinities)
        output = options.pop("output", tmp_path / f"{name}.ome.zarr")
        return plan_neurons(source, output, tmp_path / f"{name}.run", SegmentationOptions(**options), **sizes)

    return make


@pytest.fixture
def config(affinities: StoredAffinities, tmp_path: Path) -> Callable[..., Path]:
    """Write a config of `sectome segment-volume` with some changes, and return its path."""

    def write(**changes: Any) -> Path:
        settings = {
            "affinities": str(affinities.path),
            "output": str(tmp_path / "out.ome.zarr"),
            "block_voxels": [32, 64, 64],
            "context_voxels": [12, 24, 24],
            "scheduler": "threads",
            "workers": 1,
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**settings, **changes}))
        return path

    return write


def do_all(plan: Plan, stop_after: str | None = None) -> None:
    """Do all blocks in this process, those of a stage from the last to the first."""
    for stage in stages_of(plan):
        if stage.prepare is not None:
            stage.prepare(plan)
        for number in reversed(range(stage.blocks)):
            do_block(plan, stage, number)
        if stage.name == stop_after:
            return
