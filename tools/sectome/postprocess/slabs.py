"""Work on slabs of sections side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numba
from tqdm import tqdm

from sectome.checks import check_whole_number

Result = TypeVar("Result")

VOXELS_PER_SLAB = 1 << 20
"""Small enough that a thread is never waited for long, large enough that seams do not count."""

COLUMNS = 64
"""Columns of voxels that are worked on side by side; few enough that those of a volume lie in a core's cache."""

_show_progress: ContextVar[bool] = ContextVar("show_progress", default=False)


@contextmanager
def showing_progress(show: bool) -> Iterator[None]:
    """Let every stage within show a bar of its slabs, on a terminal and after two seconds."""
    token = _show_progress.set(show)
    try:
        yield
    finally:
        _show_progress.reset(token)


def thread_count(threads: int | None) -> int:
    """Return the threads asked for; `None` is numba's number: the cores at hand, or `NUMBA_NUM_THREADS`.

    Raises:
        InputError: if it is no whole number from 1 on.
    """
    # Not `get_num_threads`: it starts numba's threads, and those of OpenMP then give torch their number for its own.
    return numba.config.NUMBA_NUM_THREADS if threads is None else check_whole_number(threads, 1, "threads")


def slabs(shape: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last-but-one section of slabs of (Z, Y, X): they depend on the shape alone."""
    sections = max(1, VOXELS_PER_SLAB // max(1, shape[1] * shape[2]))
    return [(first, min(first + sections, shape[0])) for first in range(0, shape[0], sections)]


def in_threads(
    work: Callable[..., Result], arguments: Sequence[Sequence[Any]], threads: int | None, stage: str
) -> list[Result]:
    """Return ``work(*each)`` of all arguments in their order, computed by as many threads; `work` must free the GIL."""
    with tqdm(
        total=len(arguments), desc=stage, unit="slab", delay=2, disable=None if _show_progress.get() else True
    ) as bar:

        def one(each: Sequence[Any]) -> Result:
            result = work(*each)
            bar.update()
            return result

        workers = min(thread_count(threads), len(arguments))
        if workers <= 1:
            return [one(each) for each in arguments]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, arguments))
