"""Predicted foreground and contours to mitochondria, inside a MONAI pipeline."""

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
    """Turn foreground, contour and, as a third channel, distance (2 or 3, Z, Y, X) into objects (1, Z, Y, X).

    Args:
        checkpoint: the model; what its evaluation chose, kept beside it, comes before the defaults.
        options: those of `BoundaryContourOptions`; they come before what was chosen, unless they are `None`.
    """

    def __init__(self, checkpoint: str | None = None, **options: Any) -> None:
        self.options = BoundaryContourOptions.for_model(checkpoint).but(**options)

    def __call__(self, predictions: Any) -> MetaTensor:
        """Return int32 ids 1 to N, 0 for background, with the metadata of the predictions, an array or a tensor.

        Raises:
            InputError: if there are not 2 or 3 channels; see `boundary_contour_to_labels` for the rest.
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
