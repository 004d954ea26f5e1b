"""A step of training on compressed sections, with what was decoded last kept in memory and without.

Run: SECTOME_DATA=FOLDER python tests/benchmarks/decoded_sections.py [--csv FILE]
The data sets are those of overlays that come as deflated TIFF; without a cache each crop decodes all that it touches.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import interleaved  # noqa: F401  isort: skip  (sets the number of threads)

import torch
from ignite.engine import Events
from monai.utils import set_determinism
from training_config import open_config, scripts_of

from sectome.study.results import write_rows
from sectome.volumes import decoded_sections
from sectome.volumes.cache_size import CACHE_VARIABLE
from training import describe_machine

CASES = [
    ("mae_pretrain", "fib25_medulla", 60),
    ("mae_pretrain", "vnc_ssTEM", 60),
    ("em_segmentation", "fib25_medulla", 25),
    ("em_segmentation", "vnc_ssTEM", 25),
]
CACHES_MB = ("0", "512")
WARM_UP, ROUNDS = 5, 3


def step_seconds(bundle: str, data: str, steps: int, cache_mb: str, **overrides: Any) -> float:
    """Return the processor time of a bundle's training step, demo size, from its loader to updated weights."""
    os.environ[CACHE_VARIABLE] = cache_mb
    decoded_sections._shared = None
    moments: list[float] = []
    with tempfile.TemporaryDirectory() as folder, scripts_of(bundle), contextlib.redirect_stdout(io.StringIO()):
        options: dict[str, Any] = {
            "output_dir": folder,
            "ckpt_dir": folder,
            "device": "cpu",
            "epochs": 1,
            "val_interval": 1,
        }
        options |= {"epoch_length": WARM_UP + steps, **overrides}
        config = open_config(bundle, [f"datasets/{data}.json"], **options)
        set_determinism(0)
        trainer = config.get_parsed_content("train#trainer")

        def note_time() -> None:
            moments.append(time.process_time())
            if len(moments) == 2:
                trainer.terminate()

        for number in (WARM_UP, WARM_UP + steps):
            trainer.add_event_handler(Events.ITERATION_COMPLETED(once=number), note_time)
        trainer.run()
    return (moments[1] - moments[0]) / steps


def main() -> None:
    """Print the milliseconds of a step, and write them where --csv says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv")
    given = parser.parse_args()
    machine, rows = describe_machine(torch.device("cpu")), []
    for bundle, data, steps in CASES:
        rounds = [{mb: step_seconds(bundle, data, steps, mb) for mb in CACHES_MB} for _ in range(ROUNDS)]
        seconds = {mb: median(one[mb] for one in rounds) for mb in CACHES_MB}
        for mb in CACHES_MB:
            row = {"bundle": bundle, "data": data, "cache_mib": mb, "ms": round(1e3 * seconds[mb], 1)}
            rows.append({**row, "ratio": round(seconds["0"] / seconds[mb], 2), "machine": machine})
            print({name: value for name, value in rows[-1].items() if name != "machine"}, flush=True)
    if given.csv:
        write_rows(Path(given.csv), list(rows[0]), rows)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
