"""What is known of a public data set: where it is, what it looks like, and under which terms it may be used."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sectome.types import Array, Shape3, VoxelSize
from sectome.volumes import Volume

Make = Callable[[Path], "Volume | Array"]
"""Takes the folder of what was unpacked, and returns the voxels (Z, Y, X) that are to be written."""


@dataclass(frozen=True)
class Archive:
    """A file to download.

    Attributes:
        name: What it is called on disk; a .zip is unpacked, anything else is a volume already.
        url: Where it is.
        checksum: `sha256:...` or `md5:...` of its bytes, as published.
        nbytes: About how large it is, for the disk that is needed.
    """

    name: str
    url: str
    checksum: str
    nbytes: int


@dataclass(frozen=True)
class PublicVolume:
    """A volume of the set as an overlay names it.

    Attributes:
        path: Relative to the set's folder, a dataset inside of a container after a colon.
        shape: Voxels along (z, y, x).
        ids: Least and greatest id but 0 that its labels may have; None for an image.
        make: How it is made from what was unpacked; None for a file that is used as it is.
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
        name: What `sectome fetch` and the overlays call it.
        title: Tissue, microscope and labels in a line.
        archives: What is downloaded.
        volumes: What is there afterwards.
        voxel_size_nm: Edge lengths along (z, y, x) in nm.
        terms: Licence or conditions of use.
        citation: What to cite.
        traps: What went wrong for others.
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
        """Bytes to download, about."""
        return sum(archive.nbytes for archive in self.archives)

    @property
    def unpacked_bytes(self) -> int:
        """Bytes on disk beside the downloads while the set is made, about: compressed labels hardly count."""
        made = (math.prod(volume.shape) for volume in self.volumes if volume.make is not None and volume.ids is None)
        return self.download_bytes + sum(made)
