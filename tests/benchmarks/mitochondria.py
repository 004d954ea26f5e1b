"""Mitochondria from foreground and contour: ours against the field's steps with scikit-image, and block by block.

Run: python tests/benchmarks/mitochondria.py [LABELS] [--mirrored 2]
Maps are soft and noisy ones of a phantom's mitochondria, or of a label volume; block by block they are mirrored so many
times along each axis, so that objects go on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from interleaved import cpu_seconds, print_table  # isort: skip  (sets the number of threads)

import numpy as np
import torch
from scipy import ndimage
from skimage.measure import label
from skimage.morphology import remove_small_objects
from skimage.segmentation import watershed

from sectome.affinity_file import new_affinities
from sectome.blockwise import connected, plan_mitochondria, segment_blocks
from sectome.map_file import MAPS, StoredMaps
from sectome.metrics import adapted_rand_error
from sectome.phantom import make_phantom
from sectome.postprocess import BoundaryContourOptions, boundary_contour_to_labels
from sectome.transforms import boundary_contour
from sectome.volumes import open_volume

SIZE_NM = (30.0, 8.0, 8.0)
OPTIONS = BoundaryContourOptions(foreground=0.6, seed_contour=0.5)


def predicted(labels: np.ndarray) -> np.ndarray:
    """Return maps (2, Z, Y, X) uint8 as a network might give them."""
    targets = boundary_contour(torch.from_numpy(labels.astype(np.int64)), in_plane=False)[0].numpy()
    soft = ndimage.gaussian_filter(targets.astype(np.float32), (0, 0.7, 0.7, 0.7))
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=soft.shape).astype(np.float32), (0, 1, 1, 1))
    return np.round(255 / (1 + np.exp(4 - 8 * soft + 1.2 * noise / noise.std()))).astype(np.uint8)


def by_scikit_image(maps: np.ndarray) -> np.ndarray:
    """Return the objects of the same steps as they are written with scikit-image."""
    foreground, contour = maps.astype(np.float32) / 255
    inside = foreground >= OPTIONS.foreground
    seeds = label(inside & (foreground >= OPTIONS.seed_foreground) & (contour < OPTIONS.seed_contour), connectivity=1)
    seeds = remove_small_objects(seeds, max_size=OPTIONS.min_seed_voxels - 1)
    grown = watershed(-foreground * (1 - contour), seeds, mask=inside)
    return remove_small_objects(grown, max_size=OPTIONS.min_size_voxels - 1)


def compare(maps: np.ndarray) -> None:
    """Print times, after a check that both find the same foreground and nearly the same objects."""
    expected, found = by_scikit_image(maps), boundary_contour_to_labels(maps, **vars(OPTIONS))
    np.testing.assert_array_equal(expected > 0, found > 0)
    error = adapted_rand_error(expected, found)
    candidates = {
        "scikit-image": lambda: by_scikit_image(maps),
        "sectome": lambda: boundary_contour_to_labels(maps, **vars(OPTIONS)),
    }
    print_table(f"{found.max()} mitochondria of {maps.shape[1:]}", cpu_seconds(candidates, rounds=3), "scikit-image")
    print(f"  adapted Rand error of one against the other {error:.4f}")


def by_blocks(maps: np.ndarray, mirrored: int, folder: Path) -> None:
    """Print the time of each stage, and whether the labels are those of the whole volume."""
    tile = maps
    for axis in (1, 2, 3):
        parts = [tile if number % 2 == 0 else np.flip(tile, axis) for number in range(mirrored)]
        tile = np.concatenate(parts, axis)
    with new_affinities(folder / "maps.zarr", tile.shape, MAPS[:2], SIZE_NM, box=(1, *tile.shape[1:])) as store:
        for channel in range(2):
            store[channel].write(tile[channel]).result()
    plan = plan_mitochondria(StoredMaps(folder / "maps.zarr"), folder / "m.ome.zarr", folder / "run", OPTIONS)
    with connected("local", 1) as client:
        count = segment_blocks(plan, client)
    print(f"\n{count} mitochondria of {tile.shape[1:]} in {len(plan.grid)} blocks of {plan.grid.block}")
    stages: dict[str, list[float]] = {}
    for line in plan.folder.read_log():
        if line["event"] == "done":
            stages.setdefault(line["stage"], []).append(float(line["cpu_seconds"]))
    for name, times in stages.items():
        print(f"  {name:12} {len(times):4} blocks {sum(times):7.2f} s of processor time")
    same = np.array_equal(open_volume(folder / "m.ome.zarr")[...], boundary_contour_to_labels(tile, **vars(OPTIONS)))
    print(f"  the labels are {'' if same else 'NOT '}those of the whole volume, id for id")


def main() -> None:
    """Compare in memory and by blocks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", nargs="?")
    parser.add_argument("--mirrored", type=int, default=2)
    options = parser.parse_args()
    if options.labels is None:
        labels = make_phantom((64, 256, 256), (30, 8, 8), 0).mitochondria
    else:
        labels = np.asarray(open_volume(options.labels)[...])
    maps = predicted(labels)
    compare(maps)
    with tempfile.TemporaryDirectory() as folder:
        by_blocks(maps, options.mirrored, Path(folder))


if __name__ == "__main__":
    main()
