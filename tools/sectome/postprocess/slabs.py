"""Parallel work on slabs of sections."""

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
"""Small enough that threads finish at about the same time, large enough that the cost of seams is negligible."""

COLUMNS = 64
"""Number of voxel columns processed side by side; few enough that those of a volume fit into a core's cache."""

_show_progress: ContextVar[bool] = ContextVar("show_progress", default=False)


@contextmanager
def showing_progress(show: bool) -> Iterator[None]:
    """Show a progress bar of slabs for each stage in this context, on a terminal and after two seconds."""
    token = _show_progress.set(show)
    try:
        yield
    finally:
        _show_progress.reset(token)


def thread_count(threads: int | None) -> int:
    """Return the number of threads; `None` is numba's number: the available cores, or `NUMBA_NUM_THREADS`.

    Raises:
        InputError: if it is not a whole number of at least 1.
    """
    # Not `get_num_threads`: it starts numba's threads, and if they are OpenMP's, torch takes over their number.
    return numba.config.NUMBA_NUM_THREADS if threads is None else check_whole_number(threads, 1, "threads")


def slabs(shape: Sequence[int]) -> list[tuple[int, int]]:
    """Return the start and stop sections of the slabs of a (Z, Y, X) shape; they depend on the shape alone."""
    sections = max(1, VOXELS_PER_SLAB // max(1, shape[1] * shape[2]))
    return [(first, min(first + sections, shape[0])) for first in range(0, shape[0], sections)]


def in_threads(
    work: Callable[..., Result], arguments: Sequence[Sequence[Any]], threads: int | None, stage: str
) -> list[Result]:
    """Return ``work(*each)`` for all arguments, in order, computed in threads; `work` must release the GIL."""
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
