"""Grey from images that are stored as colour."""

from __future__ import annotations

import warnings

from sectome.checks import InputError
from sectome.types import Array

COLOUR_CHANNELS = (3, 4)


def grey_channel(image: Array, where: str) -> Array:
    """Return one channel of an image (Y, X, C) whose colours are equal; a second or fourth channel is alpha, no colour.

    Raises:
        InputError: If the colours differ.
    """
    colours = image[..., : 3 if image.shape[-1] in COLOUR_CHANNELS else 1]
    if not (colours == colours[..., :1]).all():
        raise InputError(f"expected grey values, or red, green and blue that are equal, got colour in {where}")
    return colours[..., 0]


def warn_of_colour(where: str) -> None:
    """Say that an image is read as grey though it is stored as colour."""
    warnings.warn(f"reading {where} as grey: it is stored as colour, its channels are equal", UserWarning, stacklevel=2)


def warn_of_white_zero(where: str) -> None:
    """Say that an image is read inverted: in the file its 0 is white."""
    warnings.warn(
        f"{where} says that its 0 is white: its values are read as they are stored, so that an image is inverted; "
        "convert it to one whose 0 is black",
        UserWarning,
        stacklevel=3,
    )
