"""Transform that writes an encoder's features to disk."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform

from sectome.geometry import ORIGIN, Placement, as_point, as_voxel_size
from sectome.replace import replacing
from sectome.transforms import output_stem
from sectome.volumes.attributes import attributes_of


class SaveFeaturesd(MapTransform):
    """Write a map of tokens (hidden_size, gz, gy, gx) as float16 to the dataset "features" of an HDF5 file.

    The file is named after "image". The dataset's attributes hold the size of a token in nm (voxel size times patch
    size) and the offset of the image.

    Args:
        keys: keys to write.
        output_dir: folder of the output.
        patch_size: patch size (z, y, x) in voxels.
        enabled: whether to write at all.
    """

    def __init__(self, keys: KeysCollection, output_dir: str, patch_size: Sequence[int], enabled: bool = True) -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.patch_size = patch_size
        self.enabled = enabled

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write each key, and return the data unchanged."""
        if self.enabled:
            for key in self.key_iterator(data):
                meta = data["image"].meta
                path = self.output_dir / f"{output_stem(meta)}_features.h5"
                voxel_size_nm = np.asarray(meta["voxel_size_nm"], dtype=float).ravel()
                token_nm = as_voxel_size((voxel_size_nm * self.patch_size).tolist())
                offset_nm = as_point(np.asarray(meta.get("offset_nm", ORIGIN), dtype=float).ravel().tolist())
                with replacing(path) as partial, h5py.File(partial, "w") as file:
                    features = np.asarray(data[key].cpu(), dtype=np.float16)
                    dataset = file.create_dataset("features", data=features, compression="gzip")
                    dataset.attrs.update(attributes_of(Placement(token_nm, offset_nm)))
                print(f"wrote {path}", flush=True)
        return dict(data)
