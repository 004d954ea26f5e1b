"""Slabs of logits as layers of whole chunks, as they are stored, and their writes while the network goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from sectome.inference.blended_slabs import Slab
from sectome.inference.window_grid import WindowGrid
from sectome.types import Array
from sectome.volumes.tensorstore_process import finish

IN_FLIGHT = 1
"""Writes that may be under way while the network goes on."""


def layer_depth(grid: WindowGrid) -> int:
    """Return how many sections are stored together: as many as one window adds to those before."""
    return grid.starts[0][1] if len(grid.starts[0]) > 1 else grid.window[0]


def chunk_layers(slabs: Iterator[Slab], depth: int, dtype: str) -> Iterator[tuple[int, Array]]:
    """Yield layers (first section, affinities (K, z, Y, X)) of whole chunks of logits, as they are stored.

    Each starts at a multiple of `depth`, and each but the last is so deep. Layers take turns in the same memory, so
    that it does not grow with what is asked for and freed: one holds until `IN_FLIGHT` more have been asked for. It may
    be changed.
    """
    memory: list[Array] = []
    number = end = 0
    for start, logits in slabs:
        if not memory:
            channels, _, *plane = logits.shape
            memory = [np.zeros((channels, depth, *plane), dtype) for _ in range(IN_FLIGHT + 1)]
        for first in range(start - start % depth, start + logits.shape[1], depth):
            begin, end = max(first, start), min(first + depth, start + logits.shape[1])
            layer = memory[number % len(memory)]
            store_affinities(logits[:, begin - start : end - start], layer[:, begin - first : end - first])
            if end == first + depth:
                yield first, layer
                number += 1
    if end % depth:
        yield end - end % depth, memory[number % len(memory)][:, : end % depth]


def store_affinities(logits: Tensor, affinities: Array) -> None:
    """Put the affinities of logits, which are changed, into an array of their shape, as its type keeps them."""
    values = logits.sigmoid_()
    if affinities.dtype == np.uint8:
        values = values.mul_(255).round_()
    torch.from_numpy(affinities).copy_(values)


class Writes:
    """Writes that are under way, `IN_FLIGHT` at most; none is when the block of `with` ends.

    Args:
        done: is told of each write that has ended well, in order, until one fails.
    """

    def __init__(self, done: Callable[[tuple[int, int]], None]) -> None:
        self._done = done
        self._under_way: list[tuple[Any, tuple[int, int]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._finish(0)

    def add(self, write: Any, what: tuple[int, int]) -> None:
        """Take a write that has begun, and wait until there are not too many.

        Args:
            write: a future of tensorstore.
            what: tells `done` what it is.
        """
        self._under_way.append((write, what))
        self._finish(IN_FLIGHT)

    def _finish(self, most: int) -> None:
        while len(self._under_way) > most:
            write, what = self._under_way[0]
            # One that fails stays the first, for those after it are of no use without it.
            finish(write)
            self._done(what)
            del self._under_way[0]
