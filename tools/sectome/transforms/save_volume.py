"""Writer of volumes and affinities from a MONAI pipeline, with the voxel size of their image."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, SaveImaged

from sectome.affinity_file import write_affinities
from sectome.checks import InputError, check_writable
from sectome.geometry import ORIGIN
from sectome.types import Channels
from sectome.volumes import write_result
from sectome.volumes.formats import locate_output

_SERVER = re.compile(r"^.*://(?:[^/]*/)?")


def output_stem(meta: Mapping[str, Any]) -> str:
    """Return the stem of an image's output names: `cube.h5:volumes/raw` gives "cube_volumes_raw", also on a server."""
    container, _, dataset = _SERVER.sub("", str(meta["filename"]).rstrip("/")).partition(":")
    return "_".join([Path(container).name.split(".")[0], *(part for part in dataset.split("/") if part)])


def check_outputs(output_dir: str, images: Sequence[Mapping[str, Any]], suffix: str = ".tif") -> None:
    """Check before the work that each image's output can be written, under a unique name.

    Args:
        output_dir: folder of the outputs.
        images: entries of a data set, each with an "image".
        suffix: format of the outputs; empty for folders of sections.

    Raises:
        InputError: if an entry has no image, or an output cannot be written or has another's name.
    """
    # Without its dot, "tif" would name a folder of sections.
    if not isinstance(suffix, str) or suffix[:1] not in ("", ".", "/"):
        raise InputError(f"the suffix of outputs must begin with a dot, such as '.tif', got {suffix!r}")
    folder = check_writable(output_dir, "output_dir")
    of_stem: dict[str, str] = {}
    for entry in images:
        if not entry.get("image"):
            raise InputError(f"each entry of datalist must have an image, got {dict(entry)}")
        image = str(entry["image"])
        stem = output_stem({"filename": image})
        locate_output(folder / f"{stem}{suffix}")
        if other := of_stem.get(stem):
            raise InputError(
                f"images must have different names, because outputs are named after them, got {other} and {image}"
            )
        of_stem[stem] = image


class SaveVolumed(SaveImaged):
    """Write volumes (1, Z, Y, X) with the name and the voxel size of "image", from which they were made.

    It derives from MONAI's `SaveImaged` for its type only: programs that take a bundle's results from memory, such as
    MONAI Label, leave transforms of this type out.

    Args:
        keys: keys of the volumes.
        output_dir: folder of the output.
        name: part between the image's name and the suffix, as "labels" in `cube_labels.tif`.
        suffix: format of the output.
        channels: offsets of affinities, or names of other channels. With them, maps (K, Z, Y, X) are written to `.zarr`
            instead of a volume.
        enabled: whether to write at all.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str,
        name: str,
        suffix: str = ".tif",
        channels: Channels | None = None,
        enabled: bool = True,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        self.output_dir = Path(output_dir)
        self.name = name
        self.suffix = suffix
        self.channels = channels
        self.enabled = enabled

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the volume of each key and return the data unchanged."""
        if self.enabled:
            for key in self.key_iterator(data):
                self.write(data[key], data["image"].meta)
        return dict(data)

    def write(self, array: torch.Tensor, meta: Mapping[str, Any]) -> None:
        """Write one volume and print its path.

        Raises:
            InputError: if it does not have one channel, and `channels` is None.
        """
        if self.channels is None and len(array) != 1:
            raise InputError(f"expected a volume (1, Z, Y, X) to write, got shape {tuple(array.shape)}; give channels")
        voxel_size_nm, offset_nm = (
            np.asarray(meta.get(name, ORIGIN), dtype=float).ravel().tolist() for name in ("voxel_size_nm", "offset_nm")
        )
        values = np.asarray(array.cpu())
        suffix = self.suffix if self.channels is None else ".zarr"
        path = self.output_dir / f"{output_stem(meta)}_{self.name}{suffix}"
        if self.channels is not None:
            write_affinities(path, values, self.channels, voxel_size_nm, offset_nm)
        else:
            write_result(path, values[0], voxel_size_nm=voxel_size_nm, offset_nm=offset_nm)
        print(f"wrote {path}", flush=True)
