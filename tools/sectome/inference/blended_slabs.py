"""Sliding-window prediction that is finished slab by slab, so that memory does not grow with the volume's depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from sectome.inference.window_grid import WindowGrid
from sectome.types import Box

ReadBox = Callable[[Box], Tensor]
"""Returns the image of a box, float32 (z, y, x)."""

Predict = Callable[[Tensor], Tensor]
"""Maps windows (B, 1, z, y, x) to values (B, C, z, y, x)."""


class Slab(NamedTuple):
    """Finished values (C, z, y, x) and the index of their first section; see `blended_slabs` for their lifetime."""

    start: int
    values: Tensor


class Tile(NamedTuple):
    """A part of every section, in voxels."""

    y: slice
    x: slice


def blended_slabs(
    read: ReadBox,
    predict: Predict,
    grid: WindowGrid,
    *,
    tile: Tile | None = None,
    sections: slice | None = None,
    batch_size: int = 1,
    device: torch.device | str = "cpu",
    wanted: Callable[[Box], bool] | None = None,
) -> Iterator[Slab]:
    """Predict windows from the first section to the last, and yield each section once no further window covers it.

    The weighted values of all windows are added up in a ring buffer of one window's depth, in which a finished section
    makes room for the one a window's depth further. The sums of weights are known in advance (`WindowGrid.sums`), so
    they need not be accumulated. While the network computes, the image of the next windows is read.

    Args:
        read: reads the image.
        predict: runs the network.
        grid: the windows.
        tile: the wanted part of each section; all windows that overlap it are predicted. None for whole sections.
        sections: the wanted sections; None for all.
        batch_size: windows per call of the network, at most.
        device: where values are accumulated.
        wanted: returns whether the window at a box must be predicted. A voxel's values are right if all windows that
            cover it are wanted; if none is, they are 0 or left out.

    Yields:
        Values of the tile, float32 on the device, from the first wanted section to the last; slabs before the first
        wanted window are left out. A slab may be modified, and is valid until the next one is requested.
    """
    depth, height, width = grid.window
    tile = tile or Tile(slice(0, grid.shape[1]), slice(0, grid.shape[2]))
    sections = sections or slice(0, grid.shape[0])
    zs = _reaching(grid.starts[0], depth, sections)
    ys, xs = (_reaching(*axis) for axis in zip(grid.starts[1:], grid.window[1:], tile, strict=True))
    region = Tile(slice(ys[0], ys[-1] + height), slice(xs[0], xs[-1] + width))
    z_weights, y_weights, x_weights = (torch.from_numpy(weights).to(device) for weights in grid.weights)
    weights = z_weights[:, None, None] * y_weights[:, None] * x_weights
    z_sums, y_sums, x_sums = (torch.from_numpy(sums).to(device) for sums in grid.sums)
    section_sums = y_sums[tile.y, None] * x_sums[tile.x]
    # The tile relative to the region that its windows cover.
    inner = tuple(
        slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(tile, region, strict=True)
    )

    accumulator: Tensor | None = None
    with ThreadPoolExecutor(1) as reader:
        boxes = [(slice(z, z + depth), *region) for z in zs]
        coming = reader.submit(read, boxes[0])
        for number, z in enumerate(zs):
            image = coming.result().to(device)
            if number + 1 < len(boxes):
                coming = reader.submit(read, boxes[number + 1])
            places = [
                (y, x)
                for y, x in product(ys, xs)
                if wanted is None or wanted((slice(z, z + depth), slice(y, y + height), slice(x, x + width)))
            ]
            for some in _batches(places, batch_size):
                local = [(y - region.y.start, x - region.x.start) for y, x in some]
                windows = torch.stack([image[:, y : y + height, x : x + width] for y, x in local])[:, None]
                # Strip MetaTensor: the accumulator must be a plain tensor.
                values = predict(windows).as_subclass(Tensor).to(device, torch.float32)
                if accumulator is None:
                    accumulator = values.new_zeros(values.shape[1], *image.shape)
                for (y, x), one in zip(local, values, strict=True):
                    for part, place in _in_ring(z, z + depth, depth):
                        part = slice(part.start - z, part.stop - z)
                        accumulator[:, place, y : y + height, x : x + width].addcmul_(one[:, part], weights[part])
            following = zs[number + 1] if number + 1 < len(boxes) else z + depth
            if accumulator is None:
                continue
            for part, place in _in_ring(z, following, depth):
                first, last = max(part.start, sections.start), min(part.stop, sections.stop)
                if first < last:
                    wanted_place = slice(place.start + first - part.start, place.stop + last - part.stop)
                    sums = z_sums[first:last, None, None] * section_sums
                    # In place: these sections are cleared next, and new memory would have to be paged in.
                    yield Slab(first, accumulator[(slice(None), wanted_place, *inner)].div_(sums))
                accumulator[:, place] = 0


def _batches(places: Sequence[tuple[int, int]], most: int) -> Iterator[Sequence[tuple[int, int]]]:
    """Yield batches of at most `most` windows, as equal in size as possible.

    On a CPU torch's convolution unfolds a single float32 window, which takes as long as four windows together.
    """
    count = -(-len(places) // most)
    for number in range(count):
        yield places[number * len(places) // count : (number + 1) * len(places) // count]


def _in_ring(first: int, last: int, depth: int) -> list[tuple[slice, slice]]:
    """Split a range of sections into one or two parts that are contiguous in the ring buffer, with their places."""
    turn = first - first % depth + depth
    parts = [(first, min(last, turn)), (turn, last)]
    return [(slice(a, b), slice(a % depth, a % depth + b - a)) for a, b in parts if a < b]


def _reaching(starts: Sequence[int], size: int, part: slice) -> list[int]:
    """Return the starts of the windows that overlap a part of an axis."""
    return [start for start in starts if start < part.stop and start + size > part.start]
