"""`sectome predict` with small and large windows and various overlaps: CPU time, each setting in turn.

Run: python tests/benchmarks/windows.py [VOLUME] [--csv FILE]
What each setting does to the scores: docs/results/windows/compare.py.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from interleaved import cpu_seconds, print_table  # isort: skip  (sets the number of threads)

import numpy as np

from sectome.inference import open_model, predict_volume
from sectome.study.results import write_rows
from sectome.tissue import open_tissue
from sectome.volumes import write_volume

SETTINGS = (
    ((48, 48, 48), 0.5),
    ((48, 48, 48), 0.25),
    ((96, 96, 96), 0.25),
    ((96, 96, 96), 0.125),
)
"""The first one is the baseline; crops of the shipped weights were 48x48x48 voxels."""
BUNDLE = Path(__file__).parents[2] / "bundles/em_segmentation"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("volume", nargs="?", help="by default 264x264x264 random voxels")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--quick", action="store_true", help="a small volume and one round")
    given = parser.parse_args()
    model = open_model(BUNDLE, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        path = given.volume
        if path is None:
            path = f"{folder}/volume.zarr"
            shape = (64, 96, 96) if given.quick else (264, 264, 264)
            grey = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
            write_volume(path, grey, voxel_size_nm=(8, 8, 8))
        (tissue,) = open_tissue([{"image": path}], intensity=model.intensity)

        def predicted(window: tuple[int, ...], overlap: float) -> None:
            output = f"{folder}/affinities.zarr"
            predict_volume(tissue, model.predict, output, model.channels, window=window, overlap=overlap)

        seconds = cpu_seconds(
            {
                f"windows of {'x'.join(map(str, window))}, overlap {overlap}": partial(predicted, window, overlap)
                for window, overlap in SETTINGS
            },
            1 if given.quick else 3,
        )
    baseline = next(iter(seconds))
    print_table(f"{tissue.shape} voxels, the shipped weights", seconds, baseline)
    if given.csv:
        rows = [
            {"what": name, "cpu_seconds": round(value, 2), "ratio": round(seconds[baseline] / value, 2)}
            for name, value in seconds.items()
        ]
        write_rows(given.csv, list(rows[0]), rows)


if __name__ == "__main__":
    main()
