"""Concurrent runs, each in its own process: started, monitored, and killed with the study."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from sectome.study import bundle_command
from sectome.study.bundle_command import bundle_environment, shown
from sectome.study.plan import Job
from sectome.study.state import LOG, finished_steps, is_done, is_trained, last_line, record, write_commands
from sectome.training.progress import readable_seconds

GUARD: Final = Path(__file__).with_name("guard.py")

LOOK_SECONDS: Final = 0.2
SAY_SECONDS: Final = 60.0
LETTERS: Final = 100


@dataclass
class Active:
    """A run in progress: the process of its current command, and its environment."""

    job: Job
    environment: Mapping[str, str]
    finished: dict[str, float]
    step: str = ""
    process: subprocess.Popen[bytes] | None = None
    since: float = field(default_factory=time.monotonic)


def run_jobs(
    jobs: Sequence[Job], places: Sequence[Mapping[str, str]], when_done: Callable[[], object]
) -> dict[str, str]:
    """Run all unfinished jobs, each after the one that it needs, with as many at once as there are places.

    Args:
        jobs: jobs in the order in which they start.
        places: environment of each place.
        when_done: called after each successful run.

    Returns:
        Why each failed run failed, by its name: mostly the last line of its log. Other runs continue.
    """
    waiting = [job for job in jobs if not is_done(job)]
    free, active, failures = list(places), list[Active](), dict[str, str]()
    said = time.monotonic()
    with stopping():
        try:
            while waiting or active:
                for job in list(waiting):
                    if job.needs is not None and job.needs.name in failures:
                        waiting.remove(job)
                        failures[job.name] = f"it starts from {job.needs.name}, which failed"
                    elif free and (job.needs is None or is_done(job.needs)):
                        waiting.remove(job)
                        active.append(_start(job, free.pop(0)))
                for run in list(active):
                    if (code := _look(run)) is None:
                        continue
                    active.remove(run)
                    free.append(dict(run.environment))
                    if code:
                        failures[run.job.name] = last_line(run.job.folder / LOG) or f"exit code {code}"
                        _say(f"failed: {run.job.name}: {failures[run.job.name]}")
                    else:
                        when_done()
                        took = readable_seconds(sum(run.finished.values()))
                        _say(f"done: {run.job.name} in {took}; {_counts(jobs, active, failures, len(places))}")
                if active and time.monotonic() - said > SAY_SECONDS:
                    said = time.monotonic()
                    _say(_overview(jobs, active, failures, len(places)))
                time.sleep(LOOK_SECONDS if active else 0)
        finally:
            for run in active:
                _end(run)
    return failures


def _start(job: Job, environment: Mapping[str, str]) -> Active:
    job.folder.mkdir(parents=True, exist_ok=True)
    run = Active(job, environment, finished_steps(job))
    if "train" not in run.finished and is_trained(job.folder):
        run.finished["train"] = 0.0
    record(job, run.finished)
    write_commands(job, environment)
    _say(f"start: {job.name}")
    _next_step(run)
    return run


def _next_step(run: Active) -> bool:
    """Start the first unfinished command; return whether there was one."""
    run.step = next((step for step in run.job.commands if step not in run.finished), "")
    if not run.step:
        return False
    command = run.job.commands[run.step]
    with (run.job.folder / LOG).open("ab") as log:
        log.write(f"$ {shown(command)}\n".encode())
        log.flush()
        run.process = subprocess.Popen(
            [sys.executable, "-S", str(GUARD), *bundle_command.PYTHON, *command],
            cwd=run.job.root,
            env={**bundle_environment(), **run.environment},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    run.since = time.monotonic()
    return True


def _look(run: Active) -> int | None:
    """Start the next command if one has ended; return 0 after the last, the exit code after a failure, else None."""
    assert run.process is not None
    assert run.process.stdin is not None
    code = run.process.poll()
    if code is None:
        return None
    run.process.stdin.close()
    if code:
        return code
    run.finished[run.step] = round(time.monotonic() - run.since, 3)
    record(run.job, run.finished)
    return None if _next_step(run) else 0


def _end(run: Active) -> None:
    """Kill a run's processes; they write files atomically, so they need no time to finish."""
    if run.process is None:
        return
    if run.process.poll() is None:
        os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()
    if run.process.stdin is not None:
        run.process.stdin.close()


def _overview(jobs: Sequence[Job], active: Sequence[Active], failures: Mapping[str, str], places: int) -> str:
    lines = [_counts(jobs, active, failures, places)]
    for run in active:
        lines.append(f"  {run.job.name}, {run.step}: {last_line(run.job.folder / LOG)[:LETTERS]}")
    return "\n".join(lines)


def _counts(jobs: Sequence[Job], active: Sequence[Active], failures: Mapping[str, str], places: int) -> str:
    done = sum(is_done(job) for job in jobs)
    return (
        f"{done} of {len(jobs)} runs done, {len(active)} running, {len(failures)} failed{_left(jobs, active, places)}"
    )


def _left(jobs: Sequence[Job], active: Sequence[Active], places: int) -> str:
    """Return the estimated time left, from the mean duration of finished runs; empty until each bundle has one."""
    seconds: dict[str, list[float]] = {}
    for job in jobs:
        if is_done(job):
            seconds.setdefault(job.root.name, []).append(sum(finished_steps(job).values()))
    left = 0.0
    for job in jobs:
        if is_done(job):
            continue
        if job.root.name not in seconds:
            return ""
        left += sum(seconds[job.root.name]) / len(seconds[job.root.name])
    left -= sum(sum(run.finished.values()) + time.monotonic() - run.since for run in active)
    return f", about {readable_seconds(max(left, 0) / places)} left"


@contextmanager
def stopping() -> Iterator[None]:
    """Make SIGTERM and SIGHUP, as from a cluster or a closed terminal, act like Ctrl-C."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # Leave ignored signals ignored: nohup relies on it.
    heard = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before: dict[int, Any] = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print(text, flush=True)
