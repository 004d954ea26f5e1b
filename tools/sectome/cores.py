"""The cores that this process may use, and how to divide work among them."""

from __future__ import annotations

import multiprocessing
import os


def cores() -> int:
    """Return how many cores this process may use, or, if the system does not say so, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(count: int, nbytes: int) -> int:
    """Return how many threads should share `count` pieces of work that hold `nbytes` of memory each.

    Together they hold at most 1 GiB, and each has at least 4 MiB of work. A child process gets one thread, because
    there is one such process per core already.
    """
    if multiprocessing.parent_process() is not None:
        return 1
    return max(1, min(cores(), 2**30 // nbytes, count * nbytes // 2**22))
