"""How far a prediction has come, kept beside its output, so that one that was stopped goes on."""

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
    """What there is of a prediction that is written tile by tile, from the first section to the last.

    Attributes:
        folder: where it lies; None of one that cannot go on.
        tile: number of the first tile that is not complete.
        section: the first one of that tile that is not written.
    """

    folder: RunFolder | None = None
    tile: int = 0
    section: int = 0

    @property
    def maps(self) -> Path | None:
        """Where the values are written."""
        return None if self.folder is None else _maps(self.folder)

    def record(self, done: tuple[int, int]) -> None:
        """Keep that all tiles before one are complete, and all sections of that tile before one."""
        if self.folder is not None:
            self.folder.save(_DONE, np.array(done))


@contextmanager
def unfinished(output: Path, plan: Mapping[str, Any]) -> Iterator[Unfinished]:
    """Give what there is of a prediction, in the folder OUTPUT.run, which is removed when the block ends well.

    If the block raises, the folder stays, unless nothing was recorded yet.

    Raises:
        InputError: if it was begun with another plan, or another process is at it.
    """
    folder = RunFolder(Path(f"{os.path.realpath(output)}.run"))
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.keep_plan(plan, f"remove {folder.path} to begin anew")
    # Where there are no locks two may write the same values to the same place, which does no harm.
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
