"""Crops of 32x160x160 with labels, out of 64x512x512: ours from files and from memory, against MONAI's CacheDataset.

Run: python tests/benchmarks/crops.py
"""

from __future__ import annotations

import itertools
import tempfile
import warnings
from pathlib import Path

from interleaved import cpu_seconds, print_table  # isort: skip  (sets the number of threads)

import numpy as np
import tifffile
import torch
from monai.data import CacheDataset
from monai.transforms import Compose, EnsureTyped, Lambdad, RandSpatialCropd
from torch.utils.data import default_collate

from sectome.crops import RandomCrops
from sectome.transforms import StandardiseIntensity
from sectome.volumes import write_volume

SHAPE, CROP = (64, 512, 512), (32, 160, 160)
VOXEL_SIZE_NM = (30.0, 6.0, 6.0)


def main() -> None:
    """Print crops a second."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, SHAPE, dtype=np.uint8)
    label = rng.integers(0, 500, SHAPE, dtype=np.uint16)
    with tempfile.TemporaryDirectory() as folder:
        for name, voxels in (("image", image), ("label", label)):
            for suffix in (".tif", ".zarr", ".h5", "_sections"):
                write_volume(Path(folder) / f"{name}{suffix}", voxels, voxel_size_nm=VOXEL_SIZE_NM)
            tifffile.imwrite(Path(folder) / f"{name}_deflated.tif", voxels, compression="zlib")

        def ours(suffix: str, resident_on: str | None = None) -> RandomCrops:
            entry = {"image": f"{folder}/image{suffix}", "label": f"{folder}/label{suffix}"}
            return RandomCrops(
                [entry], CROP, 10**6, voxel_size_nm=VOXEL_SIZE_NM, labelled=True, resident_on=resident_on
            )

        def peer(copy_cache: bool) -> CacheDataset:
            transform = Compose(
                [
                    Lambdad("image", StandardiseIntensity()),
                    EnsureTyped(["image", "label"], dtype=[torch.float32, torch.int64]),
                    RandSpatialCropd(["image", "label"], CROP, random_size=False),
                ]
            )
            entry = {"image": torch.from_numpy(image)[None], "label": torch.from_numpy(label.astype(np.int64))[None]}
            return CacheDataset([entry], transform, copy_cache=copy_cache, progress=False)

        ours_by_name = {
            "sectome, TIFF": ours(".tif"),
            "sectome, compressed TIFF": ours("_deflated.tif"),
            "sectome, PNG sections": ours("_sections"),
            "sectome, HDF5": ours(".h5"),
            "sectome, zarr": ours(".zarr"),
            "sectome, resident in memory": ours(".tif", "cpu"),
        }
        peers = {
            "MONAI CacheDataset": peer(copy_cache=True),
            "MONAI CacheDataset, copy_cache=False": peer(copy_cache=False),
        }
        expected = ours_by_name["sectome, TIFF"][0]
        for name, crops in ours_by_name.items():
            assert torch.equal(crops[0]["image"], expected["image"]), name
        for name, crops in peers.items():
            sample = crops[0]
            assert (sample["image"].shape, sample["image"].dtype) == (expected["image"].shape, torch.float32), name
            assert sample["label"].dtype == expected["label"].dtype, name
        numbers = itertools.count()
        # As a batch of one: what MONAI cuts from a cache that it does not copy is a view until then.
        candidates = {
            name: (lambda crops=crops: default_collate([crops[next(numbers) % len(crops)]]))
            for name, crops in {**ours_by_name, **peers}.items()
        }
        seconds = cpu_seconds(candidates, rounds=15)
    print_table(f"a crop {CROP} of {SHAPE}, image and labels", seconds, "MONAI CacheDataset")
    print({name: f"{1 / value:.0f} crops/s" for name, value in seconds.items()})


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
