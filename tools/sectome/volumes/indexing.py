"""NumPy's basic indexing, split into the box to read from a file and the index to apply afterwards."""

from __future__ import annotations

from operator import index
from typing import Any

from sectome.types import Box, Shape3

_AS_READ = slice(None)
_REVERSED = slice(None, None, -1)


def split_index(key: Any, shape: Shape3) -> tuple[Box, tuple[slice | int, ...]]:
    """Return the box to read, and the index to apply to the voxels read.

    Args:
        key: Integers, slices and at most one ellipsis, as in `array[key]`.
        shape: Voxels along (z, y, x).

    Raises:
        IndexError: If the key has another type or too many axes, or an integer lies outside the volume.
    """
    box: list[slice] = []
    after: list[slice | int] = []
    for item, extent in zip(_three_items(key), shape, strict=True):
        if isinstance(item, slice):
            start, stop, step = item.indices(extent)
            count = len(range(start, stop, step))
            if step < 0:
                start, step = start + (count - 1) * step, -step
            box.append(slice(start, start + max(0, (count - 1) * step + 1), step) if count else slice(0, 0, 1))
            after.append(_REVERSED if item.step is not None and item.step < 0 else _AS_READ)
        else:
            position = item + extent if item < 0 else item
            if not 0 <= position < extent:
                raise IndexError(f"expected an index below {extent}, got {item}")
            box.append(slice(position, position + 1, 1))
            after.append(0)
    return (box[0], box[1], box[2]), tuple(after)


def _three_items(key: Any) -> list[slice | int]:
    items = list(key) if isinstance(key, tuple) else [key]
    if (ellipses := sum(item is Ellipsis for item in items)) > 1 or len(items) - ellipses > 3:
        raise IndexError(f"expected at most three indices, z first, got {key!r}")
    missing = [_AS_READ] * (3 - (len(items) - ellipses))
    at = next((i for i, item in enumerate(items) if item is Ellipsis), len(items))
    items[at : at + ellipses] = missing
    return [item if isinstance(item, slice) else _integer(item) for item in items]


def _integer(item: Any) -> int:
    try:
        if isinstance(item, bool):
            raise TypeError
        return index(item)
    except TypeError:
        raise IndexError(f"expected integers and slices as indices of a volume, got {item!r}") from None
