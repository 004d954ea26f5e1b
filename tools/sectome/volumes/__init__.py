"""Volumes on disk, (Z, Y, X) with voxel sizes in nm: opened lazily, read by crop, written in slabs."""

from sectome.volumes.describe import describe_volume
from sectome.volumes.formats import absolute_path
from sectome.volumes.volume import Volume, open_volume, open_with_default_size, require_voxel_size
from sectome.volumes.write import write_result, write_volume

__all__ = [
    "Volume",
    "absolute_path",
    "describe_volume",
    "open_volume",
    "open_with_default_size",
    "require_voxel_size",
    "write_result",
    "write_volume",
]
