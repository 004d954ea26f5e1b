"""Volumes and labels upon each other in Neuroglancer (https://github.com/google/neuroglancer), read where one looks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final

import neuroglancer
import numpy as np
from neuroglancer.local_volume import LocalVolume, MeshesNotSupportedForVolume

from sectome.types import Array, Shape3
from sectome.volumes import Volume
from sectome.volumes.sampling import middle, sampled_sections
from sectome.volumes.volume import require_voxel_size

MESH_VOXELS: Final = 2**27
"""Labels of more voxels are shown in sections only: for a mesh all of them must be in memory."""

_DOWNSAMPLING: Final = 64
"""How many voxels are read for one that is shown."""

_GREYS: Final = 256
"""Of the middle of a section, along each axis, that much says how dark and how bright an image is."""

_TYPES: Final = {"bool": "uint8", "float16": "float32", "float64": "float32"}
"""In what type Neuroglancer gets voxels that it does not know."""

_IDS: Final = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}
"""In what type it gets labels, by their bytes."""

_SHADER: Final = """\
#uicontrol invlerp normalized
void main() { emitGrayscale(normalized()); }
"""


def show_volumes(volumes: Mapping[str, Volume]) -> neuroglancer.Viewer:
    """Return a viewer of volumes, each in a layer of its name and where its file says that it lies.

    What looks like labels is shown in colours; a segment that is double-clicked gets a mesh in 3D.

    Args:
        volumes: by the name of the layer; at least one.

    Raises:
        InputError: if a volume has no voxel size.
    """
    layers = {name: _layer(volume) for name, volume in volumes.items()}
    first = next(iter(volumes.values()))
    size = require_voxel_size(first)
    viewer = neuroglancer.Viewer()
    with viewer.txn() as state:
        state.dimensions = _space(first, "xyz")
        state.position = [
            position / length + extent / 2
            for position, length, extent in zip(first.offset_nm[::-1], size[::-1], first.shape[::-1], strict=True)
        ]
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
        return super().get_object_mesh(object_id)


class _Voxels:
    """A volume for Neuroglancer: in a type that it knows, one read at a time."""

    def __init__(self, volume: Volume, dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = volume.shape, dtype
        self._volume, self._lock = volume, Lock()

    def __getitem__(self, box: Any) -> Array:
        with self._lock:
            voxels: Array = self._volume[box]
        if self.dtype.kind == "u" and voxels.dtype.kind == "i":
            # Negative ids are of voxels that nobody labelled.
            voxels = np.maximum(voxels, 0)
        return voxels.astype(self.dtype, copy=False)

    def transpose(self) -> Array:
        """Return the whole volume, (X, Y, Z)."""
        return self[...].T


def _levels(volume: Volume) -> dict[Shape3, Volume]:
    """Return the volume and those levels of its pyramid whose voxels are blocks of its own, by the blocks' edges."""
    levels = {(1, 1, 1): volume}
    for level in volume.levels:
        z, y, x = (round(fine / coarse) for fine, coarse in zip(volume.shape, level.shape, strict=True))
        blocks = tuple(-(-extent // edge) for extent, edge in zip(volume.shape, (z, y, x), strict=True))
        if min(z, y, x) >= 1 and blocks == level.shape:
            levels.setdefault((z, y, x), volume.at_level(level))
    return levels


def _space(volume: Volume, names: str) -> neuroglancer.CoordinateSpace:
    """Return the axes of a volume in nm; `names` is their order, "zyx" or "xyz"."""
    lengths = dict(zip("zyx", require_voxel_size(volume), strict=True))
    return neuroglancer.CoordinateSpace(names=list(names), units="nm", scales=[lengths[name] for name in names])


def _layer(volume: Volume) -> Any:
    labels = volume.looks_like_labels()
    size = require_voxel_size(volume)
    moved = [[*row, start / length] for row, start, length in zip(np.eye(3), volume.offset_nm, size, strict=True)]
    source = neuroglancer.LayerDataSource(
        url=ShownVolume(volume, labels),
        transform=neuroglancer.CoordinateSpaceTransform(output_dimensions=_space(volume, "zyx"), matrix=moved),
    )
    if labels:
        return neuroglancer.SegmentationLayer(source=source)
    return neuroglancer.ImageLayer(
        source=source, shader=_SHADER, shader_controls={"normalized": {"range": _grey_values(volume)}}
    )


def _grey_values(volume: Volume) -> list[float]:
    """Return what is black and what is white: all but a hundredth at either end of what sampled sections hold."""
    y, x = (middle(extent, _GREYS) for extent in volume.shape[1:])
    sampled = np.stack([volume[z, y, x] for z in sampled_sections(volume.shape[0])])
    low, high = (float(value) for value in np.nanpercentile(sampled, (1, 99)))
    return [low, high if high > low else low + 1]
