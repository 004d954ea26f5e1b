"""Adapted Rand error and variation of information of 512x512x512 labels, ours against scikit-image.

Run: python tests/benchmarks/metrics.py [LABELS]
Without a label volume: 3000 convex bodies, each voxel of which stands for 4x4x4; the segmentation is the truth moved by
(1, 2, 3) voxels, with every seventh body merged with the next.
"""

from __future__ import annotations

import sys

from interleaved import cpu_seconds, print_table  # isort: skip  (sets the number of threads)

import numpy as np
from scipy.spatial import cKDTree
from skimage import metrics as theirs

from sectome.metrics import adapted_rand_error, variation_of_information
from sectome.volumes import open_volume


def bodies() -> np.ndarray:
    """Return the Voronoi cells of random points."""
    points = np.random.default_rng(0).uniform(0, 128, (3000, 3))
    voxels = np.stack(np.meshgrid(*[np.arange(128)] * 3, indexing="ij"), axis=-1)
    coarse = cKDTree(points).query(voxels)[1] + 1
    return coarse.astype(np.uint32).repeat(4, 0).repeat(4, 1).repeat(4, 2)


def main() -> None:
    """Print the times, after a check that both sides find the same."""
    truth = np.asarray(open_volume(sys.argv[1])) if len(sys.argv) > 1 else bodies()
    segmentation = np.roll(truth, (1, 2, 3), (0, 1, 2))
    segmentation[segmentation % 7 == 0] += 1
    ignore = {"ignore_labels": (0,)}
    found = adapted_rand_error(truth, segmentation), variation_of_information(truth, segmentation)
    expected = (
        theirs.adapted_rand_error(truth, segmentation, **ignore)[0],
        theirs.variation_of_information(truth, segmentation, **ignore),
    )
    np.testing.assert_allclose(found[0], expected[0], atol=1e-9)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-9)
    candidates = {
        "scikit-image, ARE": lambda: theirs.adapted_rand_error(truth, segmentation, **ignore),
        "sectome, ARE": lambda: adapted_rand_error(truth, segmentation),
        "scikit-image, VOI": lambda: theirs.variation_of_information(truth, segmentation, **ignore),
        "sectome, VOI": lambda: variation_of_information(truth, segmentation),
    }
    print_table(f"scores of labels {truth.shape}", cpu_seconds(candidates, rounds=3), "scikit-image, ARE")


if __name__ == "__main__":
    main()
