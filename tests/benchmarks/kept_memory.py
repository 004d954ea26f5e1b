"""A step of training on a CPU, with what it leaves in memory kept for the next one and without.

Run: SECTOME_DATA=FOLDER python tests/benchmarks/kept_memory.py [--csv FILE]
Each is a process of its own, as the C library's settings are those of a process, on fly medulla.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import warnings
from pathlib import Path
from statistics import median

import interleaved  # noqa: F401  isort: skip  (sets the number of threads)

import torch
from decoded_sections import step_seconds
from training_measure import resident_peak_mib

from sectome.study.results import write_rows
from sectome.training import autocast
from training import describe_machine

CASES = [("em_segmentation", 2), ("em_segmentation", 8), ("mae_pretrain", 16)]
STEPS, ROUNDS = 15, 3


def measure(bundle: str, crops: int, kept: bool) -> tuple[float, float]:
    """Return the milliseconds of a step's processor time and the peak of memory beyond libraries in MiB."""
    words = [sys.executable, __file__, "--one", bundle, str(crops), str(int(kept))]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    ms, mib = map(float, done.stdout.split())
    return ms, mib


def main() -> None:
    """Print the milliseconds of a step, and write them where --csv says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv")
    parser.add_argument("--one", nargs=3, help="a bundle, crops of a batch, and 1 where memory is kept, else 0")
    given = parser.parse_args()
    if given.one:
        bundle, crops, kept = given.one
        if kept == "0":
            autocast.keep_freed_memory = lambda: None
        seconds: list[float] = []
        mib = resident_peak_mib(
            lambda: seconds.append(step_seconds(bundle, "fib25_medulla", STEPS, "512", batch_size=int(crops)))
        )
        print(1e3 * seconds[0], mib)
        return
    machine, rows = describe_machine(torch.device("cpu")), []
    for bundle, crops in CASES:
        rounds = [{kept: measure(bundle, crops, kept) for kept in (False, True)} for _ in range(ROUNDS)]
        found = {kept: [median(one[kept][part] for one in rounds) for part in (0, 1)] for kept in (False, True)}
        for kept, (ms, mib) in found.items():
            row = {"bundle": bundle, "crops": crops, "kept": kept, "ms": round(ms, 1), "peak_mib": round(mib)}
            rows.append({**row, "ratio": round(found[False][0] / ms, 2), "machine": machine})
            print({name: value for name, value in rows[-1].items() if name != "machine"}, flush=True)
    if given.csv:
        write_rows(Path(given.csv), list(rows[0]), rows)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
