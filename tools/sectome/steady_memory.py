"""Memory of large arrays on a CPU: kept for the next training step, or given back to the system between blocks."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


@cache
def keep_freed_memory() -> None:
    """Let this process keep freed memory for later arrays from now on; without glibc nothing changes.

    A training step frees its arrays, and the next one allocates the same again. glibc gives arrays beyond 32 MiB back
    to the system, and others once enough of them lie at the end of its heap. Paging all of them in again takes up to a
    third of a step. `give_back_memory` still works.
    """
    if (mallopt := _of_glibc("mallopt")) is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def give_back_memory() -> None:
    """Give unused heap memory of this process back to the system; without glibc do nothing.

    Otherwise the memory of a process would grow with the number of slabs or blocks that it has processed, because small
    arrays keep the gaps between large ones open.
    """
    if (trim := _of_glibc("malloc_trim")) is not None:
        trim(0)


def _of_glibc(name: str) -> Any | None:
    """Return a function of the C library, None if this system has none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
