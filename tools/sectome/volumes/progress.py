"""A source that shows how much of it has been read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from sectome.types import Shape3
from sectome.volumes.blocks import Source


class WatchedSource:
    """A volume (Z, Y, X) that advances a progress bar by the bytes of each box that is read."""

    def __init__(self, source: Source, bar: Any) -> None:
        self.shape: Shape3 = source.shape
        self.dtype = source.dtype
        self.decodes_sections: bool = getattr(source, "decodes_sections", False)
        self._source = source
        self._bar = bar

    def __getitem__(self, key: Any) -> Any:
        voxels = self._source[key]
        self._bar.update(voxels.nbytes)
        return voxels


@contextmanager
def watched(source: Source, what: str, voxels: int = 0) -> Iterator[WatchedSource]:
    """Provide a source that shows a progress bar on a terminal, after two seconds.

    Args:
        source: The volume.
        what: What is done.
        voxels: How many of its voxels need not be read.
    """
    total, initial = (count * source.dtype.itemsize for count in (math.prod(source.shape), voxels))
    with tqdm(total=total, initial=initial, desc=what, unit="B", unit_scale=True, delay=2, disable=None) as bar:
        yield WatchedSource(source, bar)
