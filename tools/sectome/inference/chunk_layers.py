"""Slabs of logits regrouped into layers of whole chunks, and writes that overlap with the network's computation."""

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
"""Maximum number of pending writes while the network computes."""


def layer_depth(grid: WindowGrid) -> int:
    """Return the sections per stored layer: the window stride along z, or the depth of a single window."""
    return grid.starts[0][1] if len(grid.starts[0]) > 1 else grid.window[0]


def chunk_layers(slabs: Iterator[Slab], depth: int, dtype: str) -> Iterator[tuple[int, Array]]:
    """Regroup slabs of logits into layers (first section, affinities (K, z, Y, X)) of whole chunks, as stored.

    Each layer starts at a multiple of `depth`, and all but the last have that depth. Layers reuse the same buffers to
    avoid repeated allocation: one is valid until `IN_FLIGHT` more have been requested. It may be modified.
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
    """Write the affinities of logits into an array of the same shape, in its type; the logits are modified."""
    values = logits.sigmoid_()
    if affinities.dtype == np.uint8:
        values = values.mul_(255).round_()
    torch.from_numpy(affinities).copy_(values)


class Writes:
    """At most `IN_FLIGHT` pending writes; leaving the `with` block waits for all of them.

    Args:
        done: called after each successful write, in order, until one fails.
    """

    def __init__(self, done: Callable[[tuple[int, int]], None]) -> None:
        self._done = done
        self._under_way: list[tuple[Any, tuple[int, int]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._finish(0)

    def add(self, write: Any, what: tuple[int, int]) -> None:
        """Add a write that has begun, and wait until at most `IN_FLIGHT` are pending.

        Args:
            write: a future of tensorstore.
            what: the argument for `done`.
        """
        self._under_way.append((write, what))
        self._finish(IN_FLIGHT)

    def _finish(self, most: int) -> None:
        while len(self._under_way) > most:
            write, what = self._under_way[0]
            # A failed write stays first in the queue: later writes are useless without it.
            finish(write)
            self._done(what)
            del self._under_way[0]
