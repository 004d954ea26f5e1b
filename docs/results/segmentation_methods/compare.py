"""Scores of every way from affinities to segments, each at the setting that labelled tissue chose for it.

Run: python compare.py TUNE_AFFINITIES TUNE_TRUTH TEST_AFFINITIES TEST_TRUTH > scores.csv
Affinities are .zarr folders as inference writes them with --save_affinities true.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict

import numpy as np

from sectome.affinity_file import StoredAffinities
from sectome.metrics import LabelledAffinities, adapted_rand_error, tune, variation_of_information
from sectome.postprocess import affinities_to_labels, connected_components
from sectome.volumes import open_volume

WAYS = {
    "mean, distance, nearest only": {"methods": ["mean"], "long_range": "no"},
    "mean, distance, long range touching": {"methods": ["mean"], "long_range": "touching"},
    "mean, distance, long range all": {"methods": ["mean"], "long_range": "all"},
    "mean, watershed, nearest only": {"methods": ["mean"], "fragments": "watershed", "long_range": "no"},
    "mean, watershed, high 90%": {"methods": ["mean"], "fragments": "watershed", "long_range": "no", "high": "90%"},
    "quantile 25, distance": {"methods": ["quantile_25"], "long_range": "no"},
    "quantile 50, distance": {"methods": ["quantile_50"], "long_range": "no"},
    "quantile 75, distance": {"methods": ["quantile_75"], "long_range": "no"},
    "quantile 85, distance": {"methods": ["quantile_85"], "long_range": "no"},
    "max 10, distance": {"methods": ["max_10"], "long_range": "no"},
    "mutex watershed": {"methods": ["mutex"]},
}
COLUMNS = [
    "way",
    "voi_split",
    "voi_merge",
    "voi",
    "are",
    "best_voi",
    "threshold",
    "boundary_threshold",
    "bias",
    "strides",
]


def main() -> None:
    """Write one row a way; `best_voi` is with the setting chosen on the test tissue itself."""
    tissue = []
    for affinities, truth in (sys.argv[1:3], sys.argv[3:5]):
        file = StoredAffinities(affinities)
        tissue.append(LabelledAffinities(file.read_all(), np.asarray(open_volume(truth)), file.voxel_size_nm))
    writer = csv.DictWriter(sys.stdout, COLUMNS)
    writer.writeheader()
    for way, options in WAYS.items():
        chosen = tune(tissue[:1], file.offsets, **options).best.options
        labels = affinities_to_labels(
            tissue[1].affinities, file.offsets, voxel_size_nm=tissue[1].voxel_size_nm, **asdict(chosen)
        )
        row = {
            "way": way,
            "best_voi": tune(tissue[1:], file.offsets, **options).best.scores.voi,
            **scored(tissue[1], labels),
        }
        writer.writerow({**row, **{name: getattr(chosen, name) for name in COLUMNS[6:]}})
        sys.stdout.flush()
    labels = connected_components(tissue[1].affinities, file.offsets, threshold=0.95)
    writer.writerow({"way": "connected components at .95", **scored(tissue[1], labels)})


def scored(tissue: LabelledAffinities, labels: np.ndarray) -> dict[str, float]:
    """Return the scores of labels."""
    split, merge = variation_of_information(tissue.truth, labels)
    are = adapted_rand_error(tissue.truth, labels)
    return {"voi_split": split, "voi_merge": merge, "voi": split + merge, "are": are}


if __name__ == "__main__":
    main()
