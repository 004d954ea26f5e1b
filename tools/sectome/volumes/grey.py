"""Grey values from images stored as colour, and stored values that are not brightness."""

from __future__ import annotations

import warnings

import numpy as np
import tifffile

from sectome.checks import InputError
from sectome.types import Array

COLOUR_CHANNELS = (3, 4)


def grey_channel(image: Array, where: str) -> Array:
    """Return one channel of an image (Y, X, C) whose colours are equal; a second or fourth channel is alpha.

    Raises:
        InputError: If the colours differ.
    """
    colours = image[..., : 3 if image.shape[-1] in COLOUR_CHANNELS else 1]
    if not (colours == colours[..., :1]).all():
        raise InputError(f"expected grey values, or equal red, green and blue, got colour in {where}")
    return colours[..., 0]


def warn_of_colour(where: str) -> None:
    """Warn that an image stored as colour is read as grey."""
    warnings.warn(f"reading {where} as grey: it is stored as colour with equal channels", UserWarning, stacklevel=2)


def misread_greys(page: tifffile.TiffPage) -> str:
    """Return a warning about a TIFF page whose stored values are not its brightness; else an empty string.

    A colour palette, as of labels, and a palette that only stretches the greys need no warning.
    """
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        return (
            "stores white as 0: its values are read as they are stored, so the image is inverted; convert it to one "
            "that stores black as 0"
        )
    palette = page.colormap
    if palette is not None and (palette == palette[0]).all():
        # Unused entries at the end are black.
        greys = np.trim_zeros(palette[0], "b").astype(np.int64)
        if (np.diff(greys) < 0).any():
            return (
                "has a palette whose greys do not rise with its values: they are read as they are stored; convert it "
                "to one without a palette"
            )
    return ""
