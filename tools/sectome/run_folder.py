"""The state of a resumable run on disk: its plan, the results of each block, and which blocks are done."""

from __future__ import annotations

import csv
import os
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

import numpy as np

from sectome.checks import InputError
from sectome.differences import differences
from sectome.file_lock import locked
from sectome.json_object import as_json, read_json_object, write_json
from sectome.replace import replacing
from sectome.types import Array

PLAN = "plan.json"
IDENTITY = "identity"
LOG = "log.csv"
_LOCK = "lock"
PLACES = ("output", "bundle", "checkpoint", "name")
"""Keys of a plan that hold paths of files."""
LOG_COLUMNS = ("time", "stage", "block", "event", "seconds", "host", "process", "peak_mib", "cpu_seconds")
_BLOCKS_A_FOLDER = 1000


@dataclass(frozen=True)
class RunFolder:
    """A folder that all processes of a run can write to.

    A block is done once its record exists. Records appear whole, and what a block writes elsewhere is the same whenever
    it is written, so that a run can be stopped at any moment and resumed.
    """

    path: Path

    def record_path(self, stage: str, number: int) -> Path:
        """Return the path of a block's record."""
        return self.path / "done" / stage / f"{number // _BLOCKS_A_FOLDER:06d}" / f"{number}.npz"

    def record(self, stage: str, number: int, found: Mapping[str, Array]) -> None:
        """Save the results of a block, which marks it as done."""
        with replacing(self.record_path(stage, number)) as partial, partial.open("wb") as file:
            np.savez(file, **dict(found))  # type: ignore[arg-type]

    def read(self, stage: str, number: int, names: Sequence[str] | None = None) -> dict[str, Array]:
        """Return the results of a block, or only those named."""
        with np.load(self.record_path(stage, number)) as stored:
            return {name: stored[name] for name in names or stored.files}

    def save(self, name: str, array: Array) -> None:
        """Save an array of all blocks."""
        with replacing(self.path / name) as partial, partial.open("wb") as file:
            np.save(file, array)

    def load(self, name: str) -> Array:
        """Return a memory-mapped array of all blocks."""
        array: Array = np.load(self.path / name, mmap_mode="r")
        return array

    def is_done(self, stage: str, number: int) -> bool:
        """Return whether a block is done."""
        return self.record_path(stage, number).is_file()

    def done(self, stage: str) -> set[int]:
        """Return the blocks of a stage that are done."""
        return {int(path.stem) for path in (self.path / "done" / stage).glob("*/[0-9]*.npz")}

    def read_log(self) -> list[dict[str, str]]:
        """Return the lines of the log."""
        with (self.path / LOG).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, LOG_COLUMNS))

    def log(self, stage: str, number: int, event: str, seconds: float, cpu_seconds: float) -> None:
        """Append a line of `LOG_COLUMNS` to the log; lines of several processes do not mix.

        The peak memory is that of the process since it started. CPU time is that of all its threads, which is the
        block's own if the process does one block at a time.
        """
        where = f"{os.uname().nodename},{os.getpid()},{peak_mib():.0f}"
        line = f"{time.time():.3f},{stage},{number},{event},{seconds:.3f},{where},{cpu_seconds:.3f}\n"
        with (self.path / LOG).open("a", encoding="utf-8") as file:
            file.write(line)

    def in_use(self, *, must_lock: bool = True) -> AbstractContextManager[TextIO]:
        """Lock the folder until the block or the process ends.

        Raises:
            InputError: if another process holds it, or the file system has no locks and `must_lock` is set.
        """
        in_use = f"expected a run that no other process is working on in {self.path}, got one in use"
        return locked(self.path / _LOCK, in_use, must_lock=must_lock)

    def held(self) -> set[str]:
        """Return the names of what the folder holds besides the lock."""
        # Names of files that a killed process has left here begin with a dot.
        return {path.name for path in self.path.glob("[!.]*")} - {_LOCK}

    def check_own(self) -> None:
        """Raise an `InputError` if the folder holds something else than a run."""
        if (held := self.held()) and PLAN not in held:
            raise InputError(f"expected a new or empty folder for the run, got {self.path}, which has no plan")

    def identity(self) -> str:
        """Return an id that is unique to this run, even among runs of one plan, and stays when the folder is moved."""
        path = self.path / IDENTITY
        if not path.is_file():
            with replacing(path) as partial:
                partial.write_text(uuid4().hex, encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def keep_plan(self, plan: Mapping[str, Any], otherwise: str = "name another --output and another --run") -> None:
        """Write the plan of a new run, or check that an existing run has the same plan except for paths of files.

        Args:
            plan: plain values.
            otherwise: advice if the plans differ, for the message.

        Raises:
            InputError: if the folder holds a run of another plan, with the differences, or something else.
        """
        path = self.path / PLAN
        now = as_json(plan)
        if not path.is_file():
            self.check_own()
            write_json(now, path)
            return
        before = read_json_object(path, "the plan of a run")
        if others := list(differences(without_places(before), without_places(now))):
            raise InputError(f"{self.path} was begun with {'; '.join(others)}: continue with the same, or {otherwise}")


def without_places(plan: Any) -> Any:
    """Return a plan without paths of files, at any depth: files may be moved, and are identified by their content."""
    if isinstance(plan, Mapping):
        return {key: without_places(value) for key, value in plan.items() if key not in PLACES}
    return plan


def peak_mib() -> float:
    """Return the peak memory of this process in MiB since it started."""
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage reports the peak of the process that this one was forked from, if that was larger.
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
