"""Real processes of a cluster on this machine, each in a folder of its own, that can be killed one by one."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from sectome.run_folder import RunFolder

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


class Cluster:
    """A scheduler and workers of one thread each; all that still run end with it.

    Args:
        folder: for the scheduler file and the working directories.
        workers: how many to start.
        largest_file: bytes that a file of a worker may have; None is no limit.
    """

    def __init__(self, folder: Path, workers: int = 2, largest_file: int | None = None) -> None:
        self.file = folder / "scheduler.json"
        self.folder = folder
        self.largest_file = largest_file
        words = ["scheduler", "--port", "0", "--scheduler-file", str(self.file), "--no-dashboard", "--no-show"]
        self.scheduler = self._start("scheduler", words)
        wait_for(self.file.is_file, self.scheduler)
        self.workers = [self.start_worker(number) for number in range(workers)]

    def start_worker(self, number: int) -> subprocess.Popen[bytes]:
        """Start one more worker."""
        words = ["worker", "--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        return self._start(f"worker_{number}", [*words, "--death-timeout", "60"])

    def _start(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        own = self.folder / name
        own.mkdir(parents=True, exist_ok=True)

        def limit() -> None:
            if self.largest_file is not None and name != "scheduler":
                resource.setrlimit(resource.RLIMIT_FSIZE, (self.largest_file, self.largest_file))

        with (own / "log.txt").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words, "--host", "127.0.0.1"],
                cwd=own,
                env=ENVIRONMENT,
                stdout=log,
                stderr=log,
                preexec_fn=limit,
            )

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


def start_client(config: Path, *words: str, log: Path) -> subprocess.Popen[bytes]:
    """Start `sectome segment-volume`."""
    command = [sys.executable, "-m", "sectome.cli", "segment-volume", "--config", str(config), *words]
    with log.open("wb") as file:
        return subprocess.Popen(command, cwd=log.parent, env=ENVIRONMENT, stdout=file, stderr=file)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Wait until something is true, as long as a process runs that makes it so."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def lines_of(run: Path) -> int:
    """Return how many lines a run's log has, 0 before it is there."""
    return (run / "log.csv").read_text().count("\n") if (run / "log.csv").is_file() else 0


def check_nothing_twice(run: Path) -> None:
    """Assert that no block was begun after it had been done."""
    done: set[tuple[str, str]] = set()
    for line in RunFolder(run).read_log():
        block = (line["stage"], line["block"])
        if line["event"] == "begin":
            assert block not in done, f"{block} was begun again"
        else:
            done.add(block)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as a crash does."""
    process.send_signal(signal.SIGKILL)
    process.wait()
