"""A run and its data may be moved, or named from another folder, between a training and its resume."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sectome.volumes.formats import split_dataset

FILES = ("image", "label", "mask", "membrane", "pretrained", "weights")
"""Settings that name a file."""


def follow_moved_files(before: Any, now: Any, name: str = "") -> Any:
    """Return the settings of a run with the places where its files lie now, for those that were moved.

    A file was moved if another place names one of the same name and the old place has none any more, or is the same by
    another path. What is there under both names is another file, and stays a difference.

    Args:
        before: settings as the run was begun with; plain values.
        now: settings of the resume.
        name: of this setting.
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return {key: follow_moved_files(value, now.get(key), key) for key, value in before.items()}
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [follow_moved_files(*both) for both in zip(before, now, strict=True)]
    texts = isinstance(before, str) and isinstance(now, str)
    return now if texts and name in FILES and _was_moved(before, now) else before


def _was_moved(before: str, now: str) -> bool:
    (old, old_dataset), (new, new_dataset) = split_dataset(before), split_dataset(now)
    if (Path(old).name, old_dataset) != (Path(new).name, new_dataset):
        return False
    return not os.path.exists(old) or (os.path.exists(new) and os.path.samefile(old, new))
