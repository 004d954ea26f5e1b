"""Shards: files that hold many zarr v3 chunks each, so that large volumes do not become millions of files.

**A shard is written once, whole, by one process.** Changing one chunk means rewriting its whole shard, and concurrent
writers to one shard wait for each other. So an array has shards only if it is written in the boxes of a grid, each box
by one call of tensorstore, and a shard is one of these boxes. tensorstore writes a temporary file and renames it: after
a kill the file is either the old one or the new one. A box that is written again in a resumed run replaces the whole
file. (At the ends of a volume tensorstore first reads the old file, as for any chunk cut by the end, but keeps nothing
of it.)

Arrays that are written in other boxes have one file per chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sectome.checks import InputError
from sectome.types import Array
from sectome.volumes.tensorstore_process import finish


def in_shards(metadata: dict[str, Any], box: Sequence[int]) -> dict[str, Any]:
    """Return an array's `zarr.json` with its chunks combined into one shard per box.

    Args:
        metadata: `zarr.json` with one file per chunk.
        box: box size of the grid in which the array is written; along each axis whole chunks, or the whole axis.

    Raises:
        InputError: if a chunk would lie in more than one box.
    """
    chunk = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    for size, part, extent in zip(box, chunk, metadata["shape"], strict=True):
        if size % part and size < extent:
            raise InputError(f"expected boxes of whole chunks of {list(chunk)}, got {list(box)}")
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
    """Write one whole box of the array's grid, and wait until its file has been renamed into place.

    The values are not copied, so the only further memory is that of the compressed chunks.
    """
    finish(store[tuple(box)].write(values, can_reference_source_data_indefinitely=True))
