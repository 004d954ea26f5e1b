"""Runs of a small volume that are disturbed at random times and go on: is the result the same, is anything done twice?

Run: python tests/benchmarks/kills.py [--runs 50] [--csv FILE]
Processes of a real cluster on this machine are killed, files may not grow, chunks can not be read; see
`tests/blockwise/kills.py`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from blockwise.conftest import make_affinities, make_tissue
from blockwise.kills import EVENTS, NEURONS, disturbed_run
from sectome.affinity_file import StoredAffinities
from sectome.postprocess import affinities_to_labels
from sectome.study.results import write_rows
from sectome.volumes import open_volume

LINES = 2 * (3 * 12 + 1 + 1 + 8 + 1)
"""Of the log of an undisturbed run: two for each block of each stage."""


def main() -> None:
    """Disturb, compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        affinities = make_affinities(make_tissue(), folder / "predicted.zarr")
        whole = affinities_to_labels(
            StoredAffinities(affinities.path).read_all(), affinities.offsets, voxel_size_nm=affinities.voxel_size_nm
        )
        for number in range(given.runs):
            event, lines = EVENTS[number % len(EVENTS)], int(rng.integers(1, LINES))
            began = time.perf_counter()
            try:
                output = disturbed_run(event, lines, affinities.path, folder / str(number), **NEURONS)
                result = "same" if np.array_equal(open_volume(output)[...], whole) else "DIFFERENT"
            except AssertionError as error:
                result = f"FAILED: {error}"
            seconds = round(time.perf_counter() - began, 1)
            rows.append({"run": number, "event": event, "after_lines": lines, "seconds": seconds, "result": result})
            print("  ".join(str(value) for value in rows[-1].values()), flush=True)
    print(f"{sum(row['result'] == 'same' for row in rows)} of {len(rows)} runs ended with the undisturbed result")
    if given.csv:
        write_rows(given.csv, list(rows[0]), rows)


if __name__ == "__main__":
    main()
