"""Maps of foreground, contour and distance on disk: a zarr array (C, Z, Y, X) that stores their names, or .npy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sectome.affinity_file import said_by_zarr
from sectome.checks import InputError, check_triple
from sectome.geometry import ORIGIN
from sectome.stored_channels import StoredChannels
from sectome.volumes.store_address import local_path

MAPS = ("foreground", "contour", "distance")
"""Channels that a mitochondria network predicts; the distance is optional."""


class StoredMaps(StoredChannels):
    """Maps on disk in the order of `MAPS`, read box by box.

    Args:
        path: .zarr folder, which stores its voxel size, or .npy file (2 or 3, Z, Y, X), which does not.
        voxel_size_nm: for an .npy file: (z, y, x).

    Raises:
        InputError: if there is no such file, it holds something else, or `voxel_size_nm` is missing or superfluous.
    """

    def __init__(self, path: str | Path, voxel_size_nm: Sequence[float] | None = None) -> None:
        file = local_path(path, "maps").absolute()
        if file.suffix == ".npy":
            if not file.is_file():
                raise InputError(f"expected a file of maps at {path}, got none")
            if voxel_size_nm is None:
                raise InputError(f"voxel_size_nm must be given for {path}, which does not store it")
            size_nm, at_nm = check_triple(voxel_size_nm, "voxel_size_nm"), ORIGIN
        else:
            if voxel_size_nm is not None:
                raise InputError(
                    f"voxel_size_nm must be given for .npy files only, got it for {path}, which stores its own"
                )
            names, size_nm, at_nm = said_by_zarr(Path(path), "maps", "channels", tuple)
            if tuple(names) not in (MAPS[:2], MAPS):
                raise InputError(
                    f"expected the maps {', '.join(MAPS)}, of which the last is optional, in {path}, got "
                    f"{', '.join(names)}"
                )
        super().__init__(file, {}, size_nm, at_nm)
        if self.channel_count not in (2, 3):
            raise InputError(
                f"maps must have axes (2 or 3, Z, Y, X), {', '.join(MAPS)}, got {self.channel_count} channels in {path}"
            )
