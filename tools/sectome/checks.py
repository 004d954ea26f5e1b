"""Checks of user input, and the error that they raise.

A failed check says in one sentence what was expected and what came. The command line and the bundles print that
sentence without a traceback and end with exit code 2.
"""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from numbers import Integral, Real
from pathlib import Path
from typing import TypeVar

from sectome.types import AXES, Shape3

Choice = TypeVar("Choice")

EXIT_CODE = 2
"""Exit code of a program that a user's mistake ended."""

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C ended, by the convention of shells."""


class InputError(ValueError):
    """Unusable input from the user; the message is the sentence to show."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, for the end of a sentence; its type if the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def is_full(error: BaseException) -> bool:
    """Return whether an error means that the disk or the user's quota is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_number(value: object) -> bool:
    """Return whether a value is a real number, of Python or numpy, and not a boolean."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_triple(values: Sequence[float], name: str) -> tuple[float, float, float]:
    """Return three positive numbers as a tuple, or raise an `InputError` that calls them `name`."""
    try:
        triple = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be three numbers, z first, got {values!r}") from None
    if len(triple) != 3 or not all(0 < value < float("inf") for value in triple):
        raise InputError(f"{name} must be three positive numbers, z first, got {list(values)}")
    return triple


def check_whole_triple(values: Sequence[float], name: str) -> Shape3:
    """Return three whole numbers from 1 on (z, y, x), or raise an `InputError` that calls them `name`."""
    try:
        triple = tuple(int(value) for value in values)
        whole = len(triple) == 3 and min(triple) >= 1 and triple == tuple(values)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} must be three whole numbers of at least 1 (z, y, x), got {values!r}") from None
    if not whole:
        raise InputError(f"{name} must be three whole numbers of at least 1 (z, y, x), got {list(values)}")
    z, y, x = triple
    return z, y, x


def check_at_least(value: float, least: float, name: str) -> float:
    """Return a number that is not below `least`, or raise an `InputError` that calls it `name`."""
    if not is_number(value) or not least <= value < float("inf"):
        raise InputError(f"{name} must be a number of at least {least}, got {value!r}")
    return float(value)


def check_within(value: float, least: float, greatest: float, name: str) -> float:
    """Return a number in [least, greatest], or raise an `InputError` that calls it `name`."""
    if not is_number(value) or not least <= value <= greatest:
        raise InputError(f"{name} must lie in {least}..{greatest}, got {value!r}")
    return float(value)


def check_below_one(value: float, name: str) -> float:
    """Return a number from 0 to less than 1, or raise an `InputError` that calls it `name`."""
    if not is_number(value) or not 0 <= value < 1:
        raise InputError(f"{name} must be a number of at least 0 and less than 1, got {value!r}")
    return float(value)


def check_whole_number(value: int, least: int, name: str) -> int:
    """Return a whole number that is not below `least`, or raise an `InputError` that calls it `name`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def check_counts(**counts: int) -> None:
    """Raise an `InputError` that names the first value that is not a whole number from 1 on."""
    for name, count in counts.items():
        check_whole_number(count, 1, name)


def check_switches(**switches: bool) -> None:
    """Raise an `InputError` that names the first value that is no boolean: any text, even "no", would count as true."""
    for name, switch in switches.items():
        if not isinstance(switch, bool):
            raise InputError(f"{name} must be true or false, got {switch!r}")


def check_range(values: Sequence[float], least: float, greatest: float, name: str) -> tuple[float, float]:
    """Return a range (low, high) within [least, greatest], or raise an `InputError` that calls it `name`."""
    try:
        low, high = (float(value) for value in values)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be two numbers (low, high), got {values!r}") from None
    if not least <= low <= high <= greatest:
        raise InputError(f"{name} must be a range (low, high) within {least} and {greatest}, got {(low, high)}")
    return low, high


def check_choice(value: Choice, known: Sequence[Choice], name: str) -> Choice:
    """Return one of the known values, or raise an `InputError` that calls it `name` and lists them."""
    if value not in known:
        raise InputError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
    return value


def check_installed(package: str, what: str, extra: str) -> None:
    """Raise an `InputError` if `what` needs a package that is not installed; `extra` of sectome installs it."""
    if find_spec(package.replace("-", "_").split(".")[0]) is None:
        raise InputError(f"{what} needs {package}, which is not installed: pip install 'sectome[{extra}]'")


def check_writable(folder: str | os.PathLike[str], name: str) -> Path:
    """Return a folder that can be written or created, or raise an `InputError` that calls it `name`."""
    place = Path(folder).absolute()
    there = next(parent for parent in (place, *place.parents) if os.path.exists(parent))
    if not there.is_dir():
        raise InputError(f"{name} must be a folder, got {folder}, where {there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{name} must be a writable folder, got {folder}, where {there} may not be written to")
    return Path(folder)


def check_file_to_write(path: str | os.PathLike[str]) -> None:
    """Raise an `InputError` if a file could not be written or replaced."""
    if os.path.isdir(path):
        raise InputError(f"expected a file or nothing at {path}, got a folder, which stays as it is")
    check_writable(Path(path).parent, f"the folder of {Path(path).name}")


def check_chance(prob: float, name: str) -> float:
    """Return a probability between 0 and 1, or raise an `InputError`; warn if it is 0, so that `name` does nothing."""
    chance = check_within(prob, 0, 1, f"prob of {name}")
    if chance == 0:
        warnings.warn(f"{name} changes nothing with prob 0", UserWarning, stacklevel=3)
    return chance


def patch_does_not_divide(axis: str, patch: int, crop: int, name: str = "the crop") -> str:
    """Return the message for a crop that the patch does not divide along an axis; TorchScript can compile this."""
    return f"{name} must be a multiple of the patch, got {crop} voxels and a patch of {patch} along {axis}"


def check_patch_divides(patch_size: Sequence[int], crop_size: Sequence[int], name: str = "crop_size") -> Shape3:
    """Return the grid of patches (z, y, x) of a crop or window, which must hold at least two.

    Raises:
        InputError: naming the axis that the patch does not divide, or if there is a single patch: nothing could be
            hidden, and a norm over the one voxel of the coarsest level would be meaningless.
    """
    patches = check_whole_triple(patch_size, "patch_size")
    crops = check_whole_triple(crop_size, name)
    for axis, patch, crop in zip(AXES, patches, crops, strict=True):
        if crop % patch:
            raise InputError(patch_does_not_divide(axis, patch, crop, name))
    if patches == crops:
        raise InputError(f"{name} must hold at least two patches, got {crops}, a single one")
    z, y, x = (crop // patch for patch, crop in zip(patches, crops, strict=True))
    return z, y, x


def check_same_shape(image: Sequence[int], other: Sequence[int], name: str) -> None:
    """Raise an `InputError` if the array called `name` does not have the image's shape (Z, Y, X)."""
    if tuple(image) != tuple(other):
        raise InputError(f"the {name} must have the image's shape {tuple(image)}, got {tuple(other)}")
