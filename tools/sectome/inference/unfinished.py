"""The progress of a prediction, kept beside its output, so that a stopped one can resume."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sectome.run_folder import RunFolder

_DONE = "done.npy"


@dataclass(frozen=True)
class Unfinished:
    """Progress of a prediction that is written tile by tile, from the first section to the last.

    Attributes:
        folder: its folder; None if it cannot be resumed.
        tile: index of the first incomplete tile.
        section: index of that tile's first section that is not written.
    """

    folder: RunFolder | None = None
    tile: int = 0
    section: int = 0

    @property
    def maps(self) -> Path | None:
        """Path of the values; None without a folder."""
        return None if self.folder is None else _maps(self.folder)

    def record(self, done: tuple[int, int]) -> None:
        """Save the progress: the tile being written, and its first section that is not written."""
        if self.folder is not None:
            self.folder.save(_DONE, np.array(done))


@contextmanager
def unfinished(output: Path, plan: Mapping[str, Any]) -> Iterator[Unfinished]:
    """Provide the progress of a prediction from the folder OUTPUT.run, which is removed if the block succeeds.

    If the block raises, the folder stays, unless no progress was recorded.

    Raises:
        InputError: if it was begun with another plan, or another process is running it.
    """
    folder = RunFolder(Path(f"{os.path.realpath(output)}.run"))
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.keep_plan(plan, f"remove {folder.path} to begin anew")
    # Without file locks two processes may write the same values to the same place, which is harmless.
    with folder.in_use(must_lock=False):
        done = folder.path / _DONE
        if not _maps(folder).is_dir():
            done.unlink(missing_ok=True)
        try:
            yield Unfinished(folder, *(np.load(done).tolist() if done.is_file() else ()))
        except BaseException:
            if not done.is_file():
                shutil.rmtree(folder.path)
            raise
        shutil.rmtree(folder.path)


def _maps(folder: RunFolder) -> Path:
    return folder.path / "maps.zarr"
