"""Timing that compares: one thread, process CPU time, the candidates in turn, medians."""

from __future__ import annotations

import os

for _threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_threads] = "1"

import statistics
import time
from collections.abc import Callable

import torch

torch.set_num_threads(1)


AT_LEAST_SECONDS = 0.1
"""A candidate is called again and again for so long each time that it has its turn."""


def cpu_seconds(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median CPU seconds of a call of each candidate; the first round warms up and does not count."""
    spent: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, call in candidates.items():
            start, calls = time.process_time(), 0
            while (seconds := time.process_time() - start) < AT_LEAST_SECONDS or not calls:
                call()
                calls += 1
            if number:
                spent[name].append(seconds / calls)
    return {name: statistics.median(times) for name, times in spent.items()}


def print_table(title: str, seconds: dict[str, float], baseline: str) -> None:
    """Print the milliseconds of each candidate and how many times faster than the baseline it is."""
    print(f"\n{title}; one thread, CPU time, medians of interleaved rounds")
    for name, value in seconds.items():
        print(f"  {name:48} {1e3 * value:10.3f} ms {seconds[baseline] / value:9.1f}x")
