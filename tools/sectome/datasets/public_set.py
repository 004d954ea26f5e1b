"""Descriptions of public data sets: where they are, what they contain, and their terms of use."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sectome.types import Array, Shape3, VoxelSize
from sectome.volumes import Volume

Make = Callable[[Path], "Volume | Array"]
"""Takes the folder of unpacked archives and returns the voxels (Z, Y, X) to write."""


@dataclass(frozen=True)
class Archive:
    """A file to download.

    Attributes:
        name: File name on disk; a .zip is unpacked, anything else already is a volume.
        url: Address to download it from.
        checksum: Published checksum, `sha256:...` or `md5:...`.
        nbytes: Approximate size, to estimate the disk space needed.
    """

    name: str
    url: str
    checksum: str
    nbytes: int


@dataclass(frozen=True)
class PublicVolume:
    """A volume of the set as an overlay names it.

    Attributes:
        path: Path relative to the set's folder, followed by a colon and the dataset if it is a container.
        shape: Voxels along (z, y, x).
        ids: Least and greatest non-zero id that its labels may have; None for an image.
        make: Makes it from the unpacked archives; None for a file that is used as it is.
    """

    path: str
    shape: Shape3
    ids: tuple[int, int] | None = None
    make: Make | None = None

    @property
    def file(self) -> str:
        """The path without the dataset."""
        return self.path.partition(":")[0]


@dataclass(frozen=True)
class PublicSet:
    """A public data set.

    Attributes:
        name: Name of the set for `sectome fetch` and the overlays.
        title: Tissue, microscope and labels in a line.
        archives: Files to download.
        volumes: Volumes of the fetched set.
        voxel_size_nm: Edge lengths along (z, y, x) in nm.
        terms: Licence or conditions of use.
        citation: Publication to cite.
        traps: Known pitfalls.
    """

    name: str
    title: str
    archives: tuple[Archive, ...]
    volumes: tuple[PublicVolume, ...]
    voxel_size_nm: VoxelSize
    terms: str
    citation: str
    traps: tuple[str, ...]

    @property
    def download_bytes(self) -> int:
        """Approximate number of bytes to download."""
        return sum(archive.nbytes for archive in self.archives)

    @property
    def unpacked_bytes(self) -> int:
        """Approximate bytes on disk, besides the downloads, while the set is made; compressed labels hardly count."""
        made = (math.prod(volume.shape) for volume in self.volumes if volume.make is not None and volume.ids is None)
        return self.download_bytes + sum(made)
