"""Volumes and labels upon each other in Neuroglancer (https://github.com/google/neuroglancer), read where one looks."""

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
"""Labels of more voxels are shown in sections only: for a mesh all of them must be in memory."""

_DOWNSAMPLING: Final = 64
"""How many voxels are read for one that is shown."""

_GREYS: Final = 256
"""Of the middle of a section, along each axis, that much says how dark and how bright an image is."""

_TYPES: Final = {"bool": "uint8", "int64": "float32", "float16": "float32", "float64": "float32"}
"""In what type Neuroglancer gets voxels that it does not know."""

_IDS: Final = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}
"""In what type it gets labels, by their bytes."""

_SHADER: Final = """\
#uicontrol invlerp normalized
void main() { emitGrayscale(normalized()); }
"""

_CHANNELS_SHADER: Final = """\
float channel(int index) { return toNormalized(getDataValue(index)); }
void main() { emitRGB(vec3(channel(0), channel(1), COUNT > 2 ? channel(2) : 0.0)); }
"""

Shown: TypeAlias = Volume | StoredChannels
"""A volume, or what `sectome predict` writes."""


def open_shown(path: str, voxel_size_nm: Sequence[float] | None = None) -> Shown:
    """Open what is to be shown.

    Args:
        path: of a volume, as `open_volume` takes it, or of a .zarr folder of affinities or maps.
        voxel_size_nm: along (z, y, x), for a volume that does not say it.

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
    """Return a viewer of volumes, each in a layer of its name and where its file says that it lies.

    What looks like labels is shown in colours; a segment that is double-clicked gets a mesh in 3D. Of affinities and of
    maps the first three channels are red, green and blue.

    Args:
        volumes: by the name of the layer; at least one.

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
    """A volume as the viewer asks for it; what is asked for coarsely comes from a level of its pyramid, if it has one.

    Args:
        volume: with a voxel size.
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
        """Return the voxels between two places, counted in voxels of the scale, encoded, and their media type.

        Args:
            data_format: as LocalVolume.
            start: the first voxel, (z, y, x).
            end: the one after the last.
            scale_key: how many voxels become one along each axis, as in "1,2,2".
        """
        wanted = [int(factor) for factor in scale_key.split(",")]
        factors = max(
            (own for own in self._levels if not any(two % one for one, two in zip(own, wanted, strict=True))),
            key=math.prod,
        )
        rest = ",".join(str(two // one) for one, two in zip(factors, wanted, strict=True))
        return self._levels[factors].get_encoded_subvolume(data_format, start, end, rest)

    def get_object_mesh(self, object_id: int) -> bytes:
        """Return the surface of one id, or raise what makes the viewer show none, where the volume is too large."""
        if math.prod(self.shape) > MESH_VOXELS:
            raise MeshesNotSupportedForVolume
        mesh = bytearray(super().get_object_mesh(object_id))
        # Its corners are counted between the middles of voxels, what is shown from the first voxel's edge.
        corners = np.frombuffer(mesh, "<f4", 3 * int.from_bytes(mesh[:4], "little"), offset=4).reshape(-1, 3)
        corners += np.asarray(self.dimensions.scales, np.float32) / 2
        return bytes(mesh)


class _Voxels:
    """A volume for Neuroglancer: in a type that it knows, one read at a time."""

    def __init__(self, volume: Volume, dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = volume.shape, dtype
        self._volume, self._lock = volume, Lock()

    def __getitem__(self, box: Any) -> Array:
        with self._lock:
            voxels: Array = self._volume[box]
        if self.dtype.kind == "u":
            # Negative ids, and those from 2**63 on, are of voxels that nobody labelled.
            voxels = np.where(known_voxels(voxels), voxels, 0)
        return voxels.astype(self.dtype, copy=False)

    def transpose(self) -> Array:
        """Return the whole volume, (X, Y, Z)."""
        return self[...].T


class _Channels:
    """Channels (K, Z, Y, X) for Neuroglancer: in a type that it knows."""

    def __init__(self, stored: StoredChannels) -> None:
        self.shape = (stored.channel_count, *stored.shape)
        self.dtype = np.dtype(_TYPES.get(stored.dtype.name, stored.dtype.name))
        self._stored = stored

    def __getitem__(self, box: Any) -> Array:
        channels, *place = box
        wanted = range(self.shape[0])[channels]
        return self._stored.read(place, wanted).astype(self.dtype, copy=False)


def _levels(volume: Volume) -> dict[Shape3, Volume]:
    """Return the volume and those levels of its pyramid whose voxels are blocks of its own, by the blocks' edges."""
    levels = {(1, 1, 1): volume}
    for level in volume.levels:
        z, y, x = (round(fine / coarse) for fine, coarse in zip(volume.shape, level.shape, strict=True))
        blocks = tuple(-(-extent // edge) for extent, edge in zip(volume.shape, (z, y, x), strict=True))
        if min(z, y, x) >= 1 and blocks == level.shape and (z, y, x) not in levels:
            coarser = volume.at_level(level)
            # Scales of precomputed are counted from the origin: the first block may hold a part of one only.
            before = np.subtract(_starts(volume), np.divide(coarser.offset_nm, _size_of(volume)))
            if not ((before > 0.01) & (before < np.subtract((z, y, x), 0.01))).any():
                levels[z, y, x] = coarser
    return levels


def _space(volume: Shown, names: str) -> neuroglancer.CoordinateSpace:
    """Return the axes of a volume in nm; `names` is their order, "zyx" or "xyz"."""
    lengths = dict(zip("zyx", _size_of(volume), strict=True))
    return neuroglancer.CoordinateSpace(names=list(names), units="nm", scales=[lengths[name] for name in names])


def _size_of(volume: Shown) -> VoxelSize:
    return volume.voxel_size_nm if isinstance(volume, StoredChannels) else require_voxel_size(volume)


def _starts(volume: Shown) -> list[float]:
    """Return where the first voxel lies along (z, y, x), in voxels."""
    return [start / length for start, length in zip(volume.offset_nm, _size_of(volume), strict=True)]


def _placed(shown: LocalVolume, starts: Sequence[float]) -> neuroglancer.LayerDataSource:
    """Return what a layer shows, with its first voxel where `starts` says along the axes that it has."""
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
    """Return what is black and what is white: all but a hundredth at either end of what sampled sections hold."""
    y, x = (middle(extent, _GREYS) for extent in volume.shape[1:])
    sampled = np.stack([volume[z, y, x] for z in sampled_sections(volume.shape[0])])
    # NumPy has no percentile of booleans, as masks are.
    known = sampled[np.isfinite(sampled)].astype(np.float64)
    low, high = (float(value) for value in np.percentile(known, (1, 99))) if known.size else (0.0, 1.0)
    return [low, high if high > low else low + 1]
