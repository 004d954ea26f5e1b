"""MONAI transform from predicted affinities to objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from sectome.neighbourhoods import check_offsets
from sectome.postprocess.affinities_to_labels import affinities_to_labels
from sectome.postprocess.segmentation_options import SegmentationOptions
from sectome.transforms.any_array import as_tensor
from sectome.transforms.keywise import Keywise
from sectome.types import Offsets


class AffinitiesToLabels(Transform):
    """Turn (K, Z, Y, X) affinities in 0..1 into (1, Z, Y, X) objects; see `affinities_to_labels`.

    Args:
        offsets: offsets (z, y, x), one per channel.
        checkpoint: path of the model; the tuned options stored beside it override the defaults.
        options: options of `SegmentationOptions`; those that are not `None` override the tuned ones.
    """

    def __init__(self, offsets: Offsets, checkpoint: str | None = None, **options: Any) -> None:
        self.offsets = check_offsets(offsets)
        self.options = SegmentationOptions.for_model(checkpoint).but(**options)

    def __call__(self, affinities: Any) -> MetaTensor:
        """Return int32 ids 1..N, 0 for background, with the metadata of the affinities (an array or tensor)."""
        affinities = as_tensor(affinities)
        meta = affinities.meta if isinstance(affinities, MetaTensor) else {}
        size = np.asarray(meta.get("voxel_size_nm", (1.0, 1.0, 1.0)), dtype=float).ravel()
        values = np.asarray(affinities.cpu(), dtype=np.float32)
        labels = affinities_to_labels(values, self.offsets, voxel_size_nm=tuple(size.tolist()), **vars(self.options))
        return MetaTensor(torch.from_numpy(labels.astype(np.int32))[None], meta=meta)


class AffinitiesToLabelsd(Keywise, of=AffinitiesToLabels):
    """Dictionary version of `AffinitiesToLabels`."""
