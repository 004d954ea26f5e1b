"""Volumes and labels overlaid in Neuroglancer (https://github.com/google/neuroglancer), read only where in view."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeAlias

import neuroglancer
import numpy as np
from neuroglancer.local_volume import LocalVolume, MeshesNotSupportedForVolume

from sectome.affinity_file import StoredAffinities
from sectome.map_file import StoredMaps
from sectome.metrics import known_voxels
from sectome.stored_channels import StoredChannels
from sectome.types import Array, Shape3, VoxelSize
from sectome.volumes import Volume
from sectome.volumes.sampling import middle, sampled_sections
from sectome.volumes.volume import open_with_default_size, require_voxel_size
from sectome.volumes.zarr_metadata import read_node

MESH_VOXELS: Final = 2**27
"""Labels with more voxels are shown in sections only, because a mesh needs all of them in memory."""

_DOWNSAMPLING: Final = 64
"""Maximum number of voxels to read for each one shown."""

_GREYS: Final = 256
"""Edge in voxels of the square in the middle of a section that is sampled for the range of grey values."""

_TYPES: Final = {"bool": "uint8", "int64": "float32", "float16": "float32", "float64": "float32"}
"""Types in which Neuroglancer gets voxels of types that it does not support."""

_IDS: Final = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}
"""Types in which it gets labels, by their size in bytes."""

_SHADER: Final = """\
#uicontrol invlerp normalized
void main() { emitGrayscale(normalized()); }
"""

_CHANNELS_SHADER: Final = """\
float channel(int index) { return toNormalized(getDataValue(index)); }
void main() { emitRGB(vec3(channel(0), channel(1), COUNT > 2 ? channel(2) : 0.0)); }
"""

Shown: TypeAlias = Volume | StoredChannels
"""A volume, or an output of `sectome predict`."""


def open_shown(path: str, voxel_size_nm: Sequence[float] | None = None) -> Shown:
    """Open a volume, affinities or maps to show.

    Args:
        path: a volume, as `open_volume` takes it, or a .zarr folder of affinities or maps.
        voxel_size_nm: (z, y, x), for a volume that does not state it.

    Raises:
        InputError: as `open_volume`.
    """
    node = read_node(Path(path)) if Path(path).is_dir() else None
    if node and node.is_array and "offsets" in node.attributes:
        return StoredAffinities(path)
    if node and node.is_array and "channels" in node.attributes:
        return StoredMaps(path)
    return open_with_default_size(path, voxel_size_nm)


def show_volumes(volumes: Mapping[str, Shown]) -> neuroglancer.Viewer:
    """Return a viewer with a layer for each volume, placed by the offset in its file.

    What looks like labels is shown in colours; a double-click on a segment shows its mesh in 3D. The first three
    channels of affinities and maps are shown in red, green and blue.

    Args:
        volumes: at least one volume, by layer name.

    Raises:
        InputError: if a volume has no voxel size.
    """
    layers = {name: _layer(volume) for name, volume in volumes.items()}
    first = next(iter(volumes.values()))
    viewer = neuroglancer.Viewer()
    with viewer.txn() as state:
        state.dimensions = _space(first, "xyz")
        middles = [start + extent / 2 for start, extent in zip(_starts(first), first.shape, strict=True)]
        state.position = middles[::-1]
        for name, layer in layers.items():
            state.layers[name] = layer
        state.layout = "4panel"
    return viewer


class ShownVolume(LocalVolume):
    """A volume served to the viewer; coarse requests are answered from a level of its pyramid, if it has one.

    Args:
        volume: a volume with a voxel size.
        labels: whether it holds ids.
    """

    def __init__(self, volume: Volume, labels: bool) -> None:
        dtype = _IDS[volume.dtype.itemsize] if labels else _TYPES.get(volume.dtype.name, volume.dtype.name)
        kind = "segmentation" if labels else "image"
        self._levels: dict[Shape3, LocalVolume] = {}
        for factors, level in _levels(volume).items():
            shown = _Voxels(level, np.dtype(dtype))
            self._levels[factors] = LocalVolume(shown, _space(volume, "zyx"), kind, max_downsampling=math.inf)
        coarsest = max(math.prod(factors) for factors in self._levels)
        finest = self._levels[1, 1, 1].data
        super().__init__(finest, _space(volume, "zyx"), kind, max_downsampling=_DOWNSAMPLING * coarsest)

    def get_encoded_subvolume(self, data_format: str, start: Any, end: Any, scale_key: str) -> tuple[bytes, str]:
        """Return the encoded voxels of a box, and their media type.

        Args:
            data_format: as in `LocalVolume`.
            start: first voxel (z, y, x), counted in voxels of the scale.
            end: the voxel after the last one.
            scale_key: downsampling factor along each axis, such as "1,2,2".
        """
        wanted = [int(factor) for factor in scale_key.split(",")]
        factors = max(
            (own for own in self._levels if not any(two % one for one, two in zip(own, wanted, strict=True))),
            key=math.prod,
        )
        rest = ",".join(str(two // one) for one, two in zip(factors, wanted, strict=True))
        return self._levels[factors].get_encoded_subvolume(data_format, start, end, rest)

    def get_object_mesh(self, object_id: int) -> bytes:
        """Return the mesh of one id; if the volume is too large, raise the error that makes the viewer show none."""
        if math.prod(self.shape) > MESH_VOXELS:
            raise MeshesNotSupportedForVolume
        mesh = bytearray(super().get_object_mesh(object_id))
        # Vertices are relative to the centre of the first voxel, but the viewer counts from its edge.
        corners = np.frombuffer(mesh, "<f4", 3 * int.from_bytes(mesh[:4], "little"), offset=4).reshape(-1, 3)
        corners += np.asarray(self.dimensions.scales, np.float32) / 2
        return bytes(mesh)


class _Voxels:
    """A volume for Neuroglancer: in a type that it supports, with one read at a time."""

    def __init__(self, volume: Volume, dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = volume.shape, dtype
        self._volume, self._lock = volume, Lock()

    def __getitem__(self, box: Any) -> Array:
        with self._lock:
            voxels: Array = self._volume[box]
        if self.dtype.kind == "u":
            # Negative ids, and those from 2**63 on, mark voxels that nobody labelled.
            voxels = np.where(known_voxels(voxels), voxels, 0)
        return voxels.astype(self.dtype, copy=False)

    def transpose(self) -> Array:
        """Return the whole volume, (X, Y, Z)."""
        return self[...].T


class _Channels:
    """Channels (K, Z, Y, X) for Neuroglancer, in a type that it supports."""

    def __init__(self, stored: StoredChannels) -> None:
        self.shape = (stored.channel_count, *stored.shape)
        self.dtype = np.dtype(_TYPES.get(stored.dtype.name, stored.dtype.name))
        self._stored = stored

    def __getitem__(self, box: Any) -> Array:
        channels, *place = box
        wanted = range(self.shape[0])[channels]
        return self._stored.read(place, wanted).astype(self.dtype, copy=False)


def _levels(volume: Volume) -> dict[Shape3, Volume]:
    """Return the volume and those pyramid levels whose voxels are blocks of its voxels, by the edges of the blocks."""
    levels = {(1, 1, 1): volume}
    for level in volume.levels:
        z, y, x = (round(fine / coarse) for fine, coarse in zip(volume.shape, level.shape, strict=True))
        blocks = tuple(-(-extent // edge) for extent, edge in zip(volume.shape, (z, y, x), strict=True))
        if min(z, y, x) >= 1 and blocks == level.shape and (z, y, x) not in levels:
            coarser = volume.at_level(level)
            # Precomputed scales are aligned with the origin: the first block may be incomplete.
            before = np.subtract(_starts(volume), np.divide(coarser.offset_nm, _size_of(volume)))
            if not ((before > 0.01) & (before < np.subtract((z, y, x), 0.01))).any():
                levels[z, y, x] = coarser
    return levels


def _space(volume: Shown, names: str) -> neuroglancer.CoordinateSpace:
    """Return the axes of a volume in nm, in the order of `names`: "zyx" or "xyz"."""
    lengths = dict(zip("zyx", _size_of(volume), strict=True))
    return neuroglancer.CoordinateSpace(names=list(names), units="nm", scales=[lengths[name] for name in names])


def _size_of(volume: Shown) -> VoxelSize:
    return volume.voxel_size_nm if isinstance(volume, StoredChannels) else require_voxel_size(volume)


def _starts(volume: Shown) -> list[float]:
    """Return the position of the first voxel along (z, y, x), in voxels."""
    return [start / length for start, length in zip(volume.offset_nm, _size_of(volume), strict=True)]


def _placed(shown: LocalVolume, starts: Sequence[float]) -> neuroglancer.LayerDataSource:
    """Return the data source of a layer, with its first voxel at `starts` along its axes."""
    matrix = np.column_stack([np.eye(len(starts)), starts])
    transform = neuroglancer.CoordinateSpaceTransform(output_dimensions=shown.dimensions, matrix=matrix)
    return neuroglancer.LayerDataSource(url=shown, transform=transform)


def _layer(volume: Shown) -> Any:
    if isinstance(volume, StoredChannels):
        return _channels_layer(volume)
    labels = volume.looks_like_labels()
    source = _placed(ShownVolume(volume, labels), _starts(volume))
    if labels:
        return neuroglancer.SegmentationLayer(source=source)
    return neuroglancer.ImageLayer(
        source=source, shader=_SHADER, shader_controls={"normalized": {"range": _grey_values(volume)}}
    )


def _channels_layer(stored: StoredChannels) -> neuroglancer.ImageLayer:
    """Return a layer of affinities or maps, which have no pyramid."""
    axes = neuroglancer.CoordinateSpace(
        names=["c^", "z", "y", "x"], units=["", "nm", "nm", "nm"], scales=[1, *stored.voxel_size_nm]
    )
    shown = LocalVolume(_Channels(stored), axes, "image", max_downsampling=_DOWNSAMPLING)
    source = _placed(shown, [0, *_starts(stored)])
    shader = _CHANNELS_SHADER.replace("COUNT", str(stored.channel_count))
    return neuroglancer.ImageLayer(source=source, shader=shader)


def _grey_values(volume: Volume) -> list[float]:
    """Return the grey values to show as black and white: the 1st and 99th percentile of sampled sections."""
    y, x = (middle(extent, _GREYS) for extent in volume.shape[1:])
    sampled = np.stack([volume[z, y, x] for z in sampled_sections(volume.shape[0])])
    # NumPy has no percentile of booleans, the type of masks.
    known = sampled[np.isfinite(sampled)].astype(np.float64)
    low, high = (float(value) for value in np.percentile(known, (1, 99))) if known.size else (0.0, 1.0)
    return [low, high if high > low else low + 1]
