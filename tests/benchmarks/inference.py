"""Prediction of whole volumes, ours against MONAI's `SlidingWindowInferer`: same result, stitching time, memory.

Run: python tests/benchmarks/inference.py [--csv FILE]
Both run the demo network of em_segmentation's train.json over the same volume with the same windows and weights.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from interleaved import cpu_seconds  # isort: skip  (sets the number of threads)

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn
from training_config import from_config
from training_measure import resident_peak_mib

from sectome.inference import StreamingInferer, blended_slabs, predict_volume, window_grid
from sectome.neighbourhoods import LONG_RANGE
from sectome.study.results import write_rows
from sectome.tissue import open_tissue
from sectome.volumes import open_volume, write_volume

WINDOW, OVERLAP, SIDE, BATCH = (16, 96, 96), 0.25, 256, 4
DEPTHS = (64, 128, 512)
SIZE_NM = (30.0, 6.0, 6.0)


class Constant(nn.Module):
    """A network that costs nothing: what is left is reading, stitching and writing."""

    def forward(self, windows: Tensor) -> Tensor:
        """Return a channel an offset, of 0 everywhere and made once."""
        if getattr(self, "values", windows[:0]).shape[0] != windows.shape[0]:
            self.values = windows.new_zeros(windows.shape[0], len(LONG_RANGE), *windows.shape[2:])
        return self.values


def monai_inferer() -> SlidingWindowInferer:
    """Return MONAI's inferer with our weights: its own floor of them is another prediction."""
    inferer = SlidingWindowInferer(WINDOW, BATCH, OVERLAP, mode="gaussian")
    z, y, x = (torch.from_numpy(weights) for weights in window_grid(WINDOW, WINDOW).weights)
    inferer.roi_weight_map = z[:, None, None] * y[:, None] * x
    return inferer


def image_of(path: str) -> Tensor:
    """Return a volume as both networks see it, (1, 1, Z, Y, X)."""
    return open_tissue([{"image": path}])[0].read_whole()["image"][None]


def with_monai(path: str, network: nn.Module) -> np.ndarray:
    """Return affinities as MONAI users make them: everything in memory."""
    with torch.no_grad():
        values = monai_inferer()(image_of(path), network)[0].sigmoid_()
    return values.mul_(255).round_().to(torch.uint8).numpy()


def with_sectome(path: str, network: nn.Module, output: str) -> None:
    """Write affinities slab by slab."""

    def predict(windows: Tensor) -> Tensor:
        with torch.no_grad():
            values: Tensor = network(windows)
        return values

    (tissue,) = open_tissue([{"image": path}])
    predict_volume(tissue, predict, output, LONG_RANGE, window=WINDOW, overlap=OVERLAP, batch_size=BATCH)


def streamed(image: Tensor) -> None:
    """Blend and leave each slab to whoever takes it, as `predict_volume` does."""
    for _ in blended_slabs(
        image[0, 0].__getitem__, Constant(), window_grid(image.shape[2:], WINDOW, OVERLAP), batch_size=BATCH
    ):
        pass


def peak_of(name: str, path: str, output: str) -> float:
    """Return the peak of memory of a prediction, in MiB; for a process of its own."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    run = {"MONAI": lambda: with_monai(path, Constant()), "sectome": lambda: with_sectome(path, Constant(), output)}
    return resident_peak_mib(run[name])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--quick", action="store_true", help="a small volume and one round")
    given = parser.parse_args()
    depths, side, rounds = ((16, 32), 128, 1) if given.quick else (DEPTHS, SIDE, 3)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        paths = {depth: f"{folder}/{depth}.zarr" for depth in depths}
        for depth, path in paths.items():
            grey = np.random.default_rng(0).integers(0, 255, (depth, side, side), dtype=np.uint8)
            write_volume(path, grey, voxel_size_nm=SIZE_NM)
        network = from_config("em_segmentation", "network_def").eval()
        output = f"{folder}/affinities.zarr"

        small = f"{folder}/small.zarr"
        write_volume(small, np.asarray(open_volume(paths[depths[0]])[:24, :128, :128]), voxel_size_nm=SIZE_NM)
        theirs = with_monai(small, network)
        with_sectome(small, network, output)
        difference = np.abs(np.asarray(_stored(output), np.int16) - theirs).max()
        print(f"same network and volume: uint8 affinities differ by at most {difference}")
        assert difference <= 1

        image = image_of(paths[depths[0]])
        windows = np.prod([len(along) for along in window_grid(image.shape[2:], WINDOW, OVERLAP).starts])
        batch = image[:, :, : WINDOW[0], : WINDOW[1], : WINDOW[2]].repeat(BATCH, 1, 1, 1, 1)
        with torch.no_grad():
            seconds = cpu_seconds(
                {
                    "network": lambda: network(batch),
                    "MONAI": lambda: monai_inferer()(image, Constant()),
                    "sectome": lambda: StreamingInferer(WINDOW, BATCH, OVERLAP)(image, Constant()),
                    "sectome, slab by slab": lambda: streamed(image),
                },
                rounds,
            )
        a_window = seconds.pop("network") / BATCH
        for name, value in seconds.items():
            ms, share = 1e3 * value / windows, value / windows / a_window
            rows.append({"what": "stitching", "who": name, "ms_a_window": round(ms, 3), "of_network": round(share, 4)})
            print(f"stitching, {name:21}: {ms:7.2f} ms a window, {share:.1%} of the network's {1e3 * a_window:.0f} ms")

        for depth, path in paths.items():
            for name in ("MONAI", "sectome"):
                start = time.perf_counter()
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    peak = pool.apply(peak_of, (name, path, output))
                took = time.perf_counter() - start
                rows.append({"what": f"{depth} sections", "who": name, "peak_mib": round(peak)})
                print(f"{depth:4} sections of {side}x{side}, {name:8}: peak {peak:7.0f} MiB, {took:5.1f} s", flush=True)
    if given.csv:
        write_rows(given.csv, ("what", "who", "ms_a_window", "of_network", "peak_mib"), rows)


def _stored(path: str) -> np.ndarray:
    from sectome.affinity_file import StoredAffinities

    return StoredAffinities(path).read_all()


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
