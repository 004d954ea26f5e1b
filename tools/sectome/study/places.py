"""Where runs are trained at once: each place is the environment of the runs that it takes, one after the other."""

from __future__ import annotations

import os

import torch

from sectome.checks import InputError, check_whole_number
from sectome.cores import cores


def places(jobs: int | None = None) -> list[dict[str, str]]:
    """Return the environment of each place: one GPU a run, or as many CPU threads as OMP_NUM_THREADS says, 1 without.

    Args:
        jobs: how many places; without, one a GPU, or cores over threads.

    Raises:
        InputError: if that is no whole number from 1 on, or OMP_NUM_THREADS is no number.
    """
    if jobs is not None:
        check_whole_number(jobs, 1, "jobs")
    if gpus := visible_gpus():
        return [{"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} for place in range(jobs or len(gpus))]
    threads = _threads()
    count = jobs or max(1, cores() // threads)
    # Segmentation counts its threads by the second name.
    return [{"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)} for _ in range(count)]


def _threads() -> int:
    """Return what OMP_NUM_THREADS says, the first of a list, which has a number for each level; 1 where it is empty."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip() or "1"
    if not said.isdecimal():
        raise InputError(f"OMP_NUM_THREADS must be a whole number from 1 on, got {said!r}")
    return max(1, int(said))


def visible_gpus() -> list[str]:
    """Return the GPUs by the names that CUDA_VISIBLE_DEVICES takes."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return (named.split(",") if named else [str(number) for number in range(count)])[:count]
