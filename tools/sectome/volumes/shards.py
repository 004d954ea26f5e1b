"""Shards: chunks of zarr v3 that lie in one file, so that large volumes do not become millions of files.

**A shard is written once, whole, by one process.** To change a chunk of a shard is to write all of the shard again, and
two that do so at the same time wait for each other. So an array has shards only if it is written by the boxes of a
grid, each by one call of tensorstore, and a shard is one of these boxes. tensorstore then writes one file beside its
place and renames it: after a kill the file is the old one or the new one. A box that is written again, in a run
that goes on, replaces the whole file. (At the ends of a volume tensorstore reads the old file first, as it does for a
chunk that the end cuts, and keeps nothing of it.)

Arrays that are written by other boxes keep a file a chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sectome.checks import InputError
from sectome.types import Array
from sectome.volumes.tensorstore_process import finish


def in_shards(metadata: dict[str, Any], box: Sequence[int]) -> dict[str, Any]:
    """Return what the `zarr.json` of an array says if its chunks lie in shards of one box each.

    Args:
        metadata: of the array with a file a chunk.
        box: extents of the boxes of a grid from the first voxel on, by which the array is written: whole chunks, or
            all of an axis.

    Raises:
        InputError: if some chunks lie in more than one box.
    """
    chunk = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    for size, part, extent in zip(box, chunk, metadata["shape"], strict=True):
        if size % part and size < extent:
            raise InputError(f"boxes of whole chunks of {list(chunk)} were expected, got {list(box)}")
    sizes = [min(pair) for pair in zip(box, metadata["shape"], strict=True)]
    shard = [-(-size // part) * part for size, part in zip(sizes, chunk, strict=True)]
    if shard == list(chunk):
        return metadata
    sharding = {
        "chunk_shape": chunk,
        "codecs": metadata["codecs"],
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
    }
    return {
        **metadata,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard}},
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
    }


def write_box(store: Any, box: Sequence[slice], values: Array) -> None:
    """Write a whole box of the grid that an array was made for, and wait until its file has its name.

    No copy is made of the values, so that memory holds beside them only the compressed chunks.
    """
    finish(store[tuple(box)].write(values, can_reference_source_data_indefinitely=True))
