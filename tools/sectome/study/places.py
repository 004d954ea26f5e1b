"""Places for concurrent training: each is an environment for the runs that use it one after the other."""

from __future__ import annotations

import os

import torch

from sectome.checks import InputError, check_whole_number
from sectome.cores import cores


def places(jobs: int | None = None) -> list[dict[str, str]]:
    """Return the environment of each place: one GPU per run, or OMP_NUM_THREADS CPU threads (default 1) per run.

    Args:
        jobs: number of places; by default one per GPU, or cores divided by threads.

    Raises:
        InputError: if `jobs` is no whole number from 1 on, or OMP_NUM_THREADS is no number.
    """
    if jobs is not None:
        check_whole_number(jobs, 1, "jobs")
    if gpus := visible_gpus():
        return [{"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} for place in range(jobs or len(gpus))]
    threads = _threads()
    count = jobs or max(1, cores() // threads)
    # Segmentation takes its number of threads from NUMBA_NUM_THREADS.
    return [{"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)} for _ in range(count)]


def _threads() -> int:
    """Return OMP_NUM_THREADS, of a list (one number per nesting level) the first; 1 if it is empty."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip() or "1"
    if not said.isdecimal():
        raise InputError(f"OMP_NUM_THREADS must be a whole number of at least 1, got {said!r}")
    return max(1, int(said))


def visible_gpus() -> list[str]:
    """Return the visible GPUs by the names that CUDA_VISIBLE_DEVICES takes."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return (named.split(",") if named else [str(number) for number in range(count)])[:count]
