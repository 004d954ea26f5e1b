"""How much of the machine this process has."""

from __future__ import annotations

import multiprocessing
import os


def cores() -> int:
    """Return how many cores this process may use; where the system does not say it, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(count: int, nbytes: int) -> int:
    """Return how many threads should share out pieces of work that each hold so much memory meanwhile.

    They hold a GiB at most in all, and have 4 MiB each to do. A process that another one started has one: of
    those there is one a core already.
    """
    if multiprocessing.parent_process() is not None:
        return 1
    return max(1, min(cores(), 2**30 // nbytes, count * nbytes // 2**22))
