"""Checks of what a user gives, and the error that they raise.

Each check ends in one sentence that says what was expected and what came. The command line and the bundles print that
sentence without a traceback and end with exit code 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from sectome.types import AXES, Shape3

EXIT_CODE = 2
"""What a program that a user's mistake ended returns."""


class InputError(ValueError):
    """Something that the user gave cannot be used; the message is the sentence to show."""


def check_triple(values: Sequence[float], name: str) -> tuple[float, float, float]:
    """Return three positive numbers as a tuple, or raise an `InputError` that calls them `name`."""
    try:
        triple = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be three numbers, z first, got {values!r}") from None
    if len(triple) != 3 or not all(0 < value < float("inf") for value in triple):
        raise InputError(f"{name} must be three positive numbers, z first, got {list(values)}")
    return triple


def check_crop_fits(crop_size: Sequence[int], shape: Sequence[int], name: str) -> None:
    """Raise an `InputError` that names the axis if a crop is larger than the volume called `name`."""
    for axis, crop, extent in zip(AXES, crop_size, shape, strict=True):
        if crop > extent:
            raise InputError(
                f"the crop must fit into the volume, got {crop} voxels along {axis} in {name}, which has {extent}"
            )


def check_patch_divides(patch_size: Sequence[int], crop_size: Sequence[int]) -> Shape3:
    """Return the grid of patches (z, y, x), or raise an `InputError` that names the axis that does not divide."""
    for axis, patch, crop in zip(AXES, patch_size, crop_size, strict=True):
        if patch < 1 or crop < patch or crop % patch:
            raise InputError(
                f"the crop must be a multiple of the patch, got {crop} voxels and a patch of {patch} along {axis}"
            )
    z, y, x = (crop // patch for patch, crop in zip(patch_size, crop_size, strict=True))
    return z, y, x


def check_same_shape(image: Sequence[int], other: Sequence[int], name: str) -> None:
    """Raise an `InputError` if the array called `name` has not the image's (Z, Y, X) shape."""
    if tuple(image) != tuple(other):
        raise InputError(f"the {name} must have the image's shape {tuple(image)}, got {tuple(other)}")
