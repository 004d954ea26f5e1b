"""Files that were moved, or are named from another folder, between a training and its resume."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sectome.volumes.formats import split_dataset

FILES = ("image", "label", "mask", "membrane", "pretrained", "weights")
"""Settings that name a file."""


def follow_moved_files(before: Any, now: Any, name: str = "") -> Any:
    """Return the settings that a run was started with, with the new paths of files that were moved.

    A file counts as moved if the new path has the same file name, and the old path no longer exists or leads to the
    same file. If both paths hold different files, the old path is kept, so that the settings differ.

    Args:
        before: settings that the run was started with; plain values.
        now: settings of the resume.
        name: name of this setting.
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
