"""The mutex watershed on degraded affinities of synthetic tissue, 32x256x256: ours against bioimage-cpp and mwatershed.

Run: python tests/benchmarks/mutex.py; a peer that is not installed (pip install bioimage-cpp mwatershed) is left out.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from interleaved import cpu_seconds, print_table  # isort: skip  (sets the number of threads)

import numpy as np
from scipy import ndimage

from sectome.affinities import labels_to_affinities
from sectome.metrics import adapted_rand_error
from sectome.neighbourhoods import LONG_RANGE
from sectome.phantom import make_phantom
from sectome.postprocess import mutex_watershed

SHAPE, STRIDES = (32, 256, 256), [1, 3, 3]


def main() -> None:
    """Print the time of a volume, and how far the partitions are apart."""
    truth = make_phantom(SHAPE, (30, 6, 6), 3).neurons
    rng = np.random.default_rng(0)
    true = labels_to_affinities(truth, LONG_RANGE)[0].astype(np.float32)
    soft = np.stack([ndimage.gaussian_filter(channel, (0.3, 0.8, 0.8)) for channel in true])
    affinities = (1 / (1 + np.exp(-(8 * soft - 4 + rng.normal(size=true.shape))))).astype(np.float32)
    offsets = [list(step) for step in LONG_RANGE]

    ours: Callable[[], Any] = lambda: mutex_watershed(affinities, LONG_RANGE, strides=STRIDES)  # noqa: E731
    candidates = {"sectome": ours}
    try:
        cpp = importlib.import_module("bioimage_cpp.segmentation")
        weights = np.concatenate([affinities[:3], 1 - affinities[3:]])
        candidates["bioimage-cpp"] = lambda: cpp.mutex_watershed(weights, offsets, 3, strides=STRIDES)
    except ImportError:
        print("bioimage-cpp is not installed")
    try:
        rust = importlib.import_module("mwatershed")
        # It takes signed weights, so that a nearest edge below 0.5 repels: another partition, for the time only.
        signed = (affinities - 0.5).astype(np.float64)
        candidates["mwatershed"] = lambda: rust.agglom(signed, offsets, strides=[[1, 1, 1]] * 3 + [STRIDES] * 9)
    except ImportError:
        print("mwatershed is not installed")
    expected = ours()
    for name, call in candidates.items():
        result = np.asarray(call()).astype(np.int64)
        print(
            f"{name}: ARE {adapted_rand_error(truth, result):.5f}, of ours against it on what ours joined "
            f"{adapted_rand_error(expected.astype(np.int64), result):.5f}"
        )
    baseline = "bioimage-cpp" if "bioimage-cpp" in candidates else "sectome"
    print_table(f"mutex watershed of {SHAPE}, 12 offsets", cpu_seconds(candidates, rounds=5), baseline)


if __name__ == "__main__":
    main()
