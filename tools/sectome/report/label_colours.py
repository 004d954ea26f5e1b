"""Colours of segments: an id has the same colour in every picture, and successive ids have different colours."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt
from skimage.segmentation import find_boundaries

from sectome.types import Array, FloatArray, LabelArray

# 2^64 divided by the golden ratio: its multiples modulo 2^64 step around the circle of hues without coming close to an
# earlier one (Knuth, The Art of Computer Programming 3, section 6.4). Integers are exact where floats are not.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

# Lightness separates hues that look alike to colour-blind readers.
_LIGHTNESS = (0.62, 0.48, 0.74)


def label_colours(labels: LabelArray) -> npt.NDArray[np.uint8]:
    """Return a colour for each label, by golden-ratio hues.

    Args:
        labels: integers of any shape; 0 is background.

    Returns:
        uint8 RGBA of each label in a last axis; 0 is transparent black, all others are opaque.
    """
    ids, inverse = np.unique(labels, return_inverse=True)
    table = np.zeros((len(ids), 4), np.uint8)
    hues = ((ids.astype(np.uint64) * _GOLDEN) >> np.uint64(40)) / 2**24
    for row, label, hue in zip(table, ids, hues, strict=True):
        if label:
            lightness = _LIGHTNESS[int(label) % len(_LIGHTNESS)]
            row[:3] = [round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, 0.75)]
            row[3] = 255
    return table[inverse].reshape(*labels.shape, 4)


def blend_labels(raw: FloatArray, labels: LabelArray, alpha: float = 0.4) -> FloatArray:
    """Return a grey picture with labels blended over it: a tint inside, a stronger colour along borders.

    Args:
        raw: (Y, X) grey values from 0 to 1.
        labels: (Y, X) integers; 0 stays grey.
        alpha: opacity of the tint.

    Returns:
        (Y, X, 3) RGB from 0 to 1.
    """
    colours = label_colours(labels) / 255
    strength: Array = np.where(find_boundaries(labels, mode="inner"), 0.9, alpha) * colours[..., 3]
    blended: FloatArray = raw[..., None] * (1 - strength[..., None]) + colours[..., :3] * strength[..., None]
    return blended
