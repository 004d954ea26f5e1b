"""Readers of files in a run folder: a missing file is None, a broken one is an error."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError, is_number
from sectome.types import Array


def read_number(content: Mapping[str, Any], key: str, path: Path) -> float:
    """Return the number under `key` of the JSON object read from `path`.

    Raises:
        InputError: if it is missing or not a number.
    """
    value: Any = content.get(key) if isinstance(content, Mapping) else None
    if not is_number(value):
        raise InputError(f"{path} must give a number as {key!r}, got {value!r}")
    return float(value)


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, Array] | None:
    """Return the named arrays of an .npz file, or None if there is no file.

    Raises:
        InputError: if the file is not an .npz file or lacks one of the arrays, which is named.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            missing = [name for name in names if name not in content.files]
            if missing:
                raise InputError(f"{path} must hold the array {missing[0]!r}, got {sorted(content.files)}")
            return {name: content[name] for name in names}
    except InputError:
        raise
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} must be an .npz file of plain arrays, got: {error or type(error).__name__}") from None
