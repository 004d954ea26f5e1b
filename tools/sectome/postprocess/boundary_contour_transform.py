"""MONAI transform from predicted foreground and contours to mitochondria."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform

from sectome.checks import InputError
from sectome.postprocess.boundary_contour_options import BoundaryContourOptions
from sectome.postprocess.boundary_contour_to_labels import boundary_contour_to_labels
from sectome.transforms.any_array import as_tensor
from sectome.transforms.keywise import Keywise


class BoundaryContourToLabels(Transform):
    """Turn (2 or 3, Z, Y, X) foreground, contour and, if given, distance into (1, Z, Y, X) objects.

    Args:
        checkpoint: path of the model; the options that its evaluation stored beside it override the defaults.
        options: options of `BoundaryContourOptions`; those that are not `None` override the stored ones.
    """

    def __init__(self, checkpoint: str | None = None, **options: Any) -> None:
        self.options = BoundaryContourOptions.for_model(checkpoint).but(**options)

    def __call__(self, predictions: Any) -> MetaTensor:
        """Return int32 ids 1..N, 0 for background, with the metadata of the predictions (an array or tensor).

        Raises:
            InputError: if there are not 2 or 3 channels, and as `boundary_contour_to_labels`.
        """
        predictions = as_tensor(predictions)
        if predictions.ndim != 4 or predictions.shape[0] not in (2, 3):
            raise InputError(f"predictions must have axes (2 or 3, Z, Y, X), got shape {tuple(predictions.shape)}")
        meta = predictions.meta if isinstance(predictions, MetaTensor) else {}
        values = np.asarray(predictions.cpu())
        distance = values[2] if len(values) == 3 else None
        labels = boundary_contour_to_labels(values[:2], distance, **vars(self.options))
        return MetaTensor(torch.from_numpy(labels.astype(np.int32))[None], meta=meta)


class BoundaryContourToLabelsd(Keywise, of=BoundaryContourToLabels):
    """Dictionary version of `BoundaryContourToLabels`."""
