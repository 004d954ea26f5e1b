"""Memory that large arrays leave goes back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back_memory() -> None:
    """Return what the heap of this process does not use; where there is no glibc this does nothing.

    glibc takes freed arrays of up to 32 MiB into its heap, where smaller ones keep the gaps from closing: what a
    process holds then grows with the number of slabs or blocks that it has seen. To have each array mapped on its own
    instead would make a network half as slow again, as all of its activations are paged in anew.
    """
    if sys.platform == "linux":
        try:
            ctypes.CDLL(None).malloc_trim(0)
        except (AttributeError, OSError):
            return
