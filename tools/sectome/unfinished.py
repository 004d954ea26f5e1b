"""The progress of an output that takes long to write, kept beside it, so that a stopped command can resume."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from sectome.replace import remove_failed
from sectome.run_folder import PLAN, RunFolder
from sectome.types import Box

_OUTPUT = "output"
_DONE = "done.npy"


@dataclass(frozen=True)
class Unfinished:
    """Progress of an output that is written in a fixed order.

    Attributes:
        folder: its folder; None if it cannot be resumed.
        done: the position that was recorded last: a part, such as a tile or a level, and how much of it is written.
    """

    folder: RunFolder | None = None
    done: tuple[int, int] = (0, 0)
    _parts: Iterator[int] = field(default_factory=count)

    @property
    def output(self) -> Path | None:
        """Path of the output until it is complete; None without a folder."""
        return None if self.folder is None else _output(self.folder)

    def record(self, done: tuple[int, int]) -> None:
        """Save the position up to which the output is written."""
        if self.folder is not None:
            self.folder.save(_DONE, np.array(done))

    def remaining(self, boxes: Iterable[Box]) -> Iterator[Box]:
        """Yield the boxes of the next part that are not yet written; each counts as written when another is asked for.

        The calls, one a part, have to come in the same order whenever the output is written.
        """
        part = next(self._parts)
        for number, box in enumerate(boxes, 1):
            if (part, number) > self.done:
                yield box
                self.record((part, number))


@contextmanager
def unfinished(output: Path, plan: Mapping[str, Any]) -> Iterator[Unfinished]:
    """Provide the progress of an output from the folder OUTPUT.run, which is removed if the block succeeds.

    If the block raises, the folder stays, unless no progress was recorded. Without recorded progress, what a killed
    process has left there is removed.

    Raises:
        InputError: if it was begun with another plan, another process is writing the output, or the folder holds
            something else.
    """
    folder = RunFolder(Path(f"{os.path.realpath(output)}.run"))
    folder.check_own()
    folder.path.mkdir(parents=True, exist_ok=True)
    done = folder.path / _DONE
    try:
        # Without file locks two processes may write the same values to the same place, which is harmless.
        with folder.in_use(must_lock=False):
            # The output may be gone: removed by a user, or renamed just before a kill.
            if not any(path.is_file() for path in _output(folder).rglob("*")):
                done.unlink(missing_ok=True)
            if folder.held() <= {PLAN, _OUTPUT}:
                remove_failed(_output(folder))
                (folder.path / PLAN).unlink(missing_ok=True)
            folder.keep_plan(plan, f"remove {folder.path} to begin anew")
            try:
                yield Unfinished(folder, *([tuple(np.load(done).tolist())] if done.is_file() else ()))
            except BaseException:
                if not done.is_file():
                    remove_failed(folder.path)
                raise
            remove_failed(folder.path)
    finally:
        # NFS keeps a deleted file, here the lock, in its folder until it is closed.
        with suppress(OSError):
            folder.path.rmdir()


def _output(folder: RunFolder) -> Path:
    return folder.path / _OUTPUT
