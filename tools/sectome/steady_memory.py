"""Memory of large arrays on a CPU: kept for the next step of a training, given back to the system between blocks."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


@cache
def keep_freed_memory() -> None:
    """Let this process keep what arrays leave for the next ones, from here on; where there is no glibc nothing changes.

    A step of training frees the arrays that it has made, and makes the same ones again. glibc gives those beyond 32 MiB
    back to the system, and others when enough of them lie at the end of its heap; all are paged in anew, which is up to
    a third of a step. `give_back_memory` still does what it says.
    """
    if (mallopt := _of_glibc("mallopt")) is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def give_back_memory() -> None:
    """Return what the heap of this process does not use; where there is no glibc this does nothing.

    What a process holds would grow with the number of slabs or blocks that it has seen, as small arrays keep the gaps
    between large ones from closing.
    """
    if (trim := _of_glibc("malloc_trim")) is not None:
        trim(0)


def _of_glibc(name: str) -> Any | None:
    """Return a function of the C library, None if this system's has none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
