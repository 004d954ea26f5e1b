"""The progress of a run, kept in its folder, so that a stopped study can resume."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from sectome.checks import InputError
from sectome.differences import differences
from sectome.json_object import read_object, write_json
from sectome.study.bundle_command import shown
from sectome.study.plan import Job
from sectome.training.early_stopping import ended_early

STATE: Final = "state.json"
LOG: Final = "log.txt"
COMMANDS: Final = "commands.sh"


def finished_steps(job: Job) -> dict[str, float]:
    """Return the duration in seconds of each finished command of a run."""
    return dict(read_object(job.folder / STATE).get("finished", {}))


def is_done(job: Job) -> bool:
    """Return whether all commands of a run are finished, with its current settings."""
    state = read_object(job.folder / STATE)
    return (
        state.get("declared") == job.declared
        and state.get("overlays", job.overlays) == job.overlays
        and set(job.commands) <= set(state.get("finished", {}))
    )


def status(job: Job) -> str:
    """Return "done", "begun" or "to do"."""
    if is_done(job):
        return "done"
    return "begun" if _has_results(job) else "to do"


def record(job: Job, finished: Mapping[str, float]) -> None:
    """Write a run's settings and its finished commands, atomically."""
    content = {"declared": job.declared, "overlays": job.overlays, "finished": dict(finished)}
    write_json(content, job.folder / STATE)


def write_commands(job: Job, environment: Mapping[str, str]) -> None:
    """Write the run's commands as a script with which a person can repeat it."""
    lines = ["#!/bin/sh -e", f"# {job.name}", *(f"export {name}={value}" for name, value in environment.items())]
    lines += [f'cd "{job.root}"', *(shown(command) for command in job.commands.values())]
    (job.folder / COMMANDS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def check_unchanged(jobs: Sequence[Job]) -> None:
    """Raise an `InputError` that shows the differences if a run has results from other settings."""
    for job in jobs:
        state = read_object(job.folder / STATE)
        if "declared" not in state or not _has_results(job):
            continue
        # Runs of older versions did not record the contents of overlays.
        differ = [
            *differences(_with_nulls(state["declared"]), _with_nulls(job.declared)),
            *differences(_with_nulls(state.get("overlays", job.overlays)), _with_nulls(job.overlays)),
        ]
        if differ:
            raise InputError(
                f"{job.folder} was made with {'; '.join(differ)}; "
                f"declare it as it was, or run it anew with --redo {job.names[0]}"
            )


def _with_nulls(part: Any) -> Any:
    """Return settings with "null" for None: overriding with null differs from not overriding."""
    if isinstance(part, Mapping):
        return {name: _with_nulls(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_with_nulls(value) for value in part]
    return "null" if part is None else part


def remove(job: Job) -> None:
    """Remove a run's folder atomically: a partly removed one could seem done or trained."""
    removed = job.folder.with_name(f".{job.folder.name}.removed")
    if removed.exists():
        shutil.rmtree(removed)
    if job.folder.is_dir():
        job.folder.rename(removed)
        shutil.rmtree(removed)


def last_line(path: Path) -> str:
    """Return the last non-empty line of a log, else ""."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def is_trained(folder: Path) -> bool:
    """Return whether a run stopped between its last epoch and the end of its command, so that it cannot train on.

    The last epoch is the final one, or the one at which early stopping ended the training.
    """
    try:
        content = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
        trainer = content["trainer"]
        return bool(trainer["epoch"] >= trainer["max_epochs"] or ended_early(content.get("early_stopping", {})))
    except Exception:
        # Without a checkpoint the bundle starts afresh; a broken one it reports itself.
        return False


def _has_results(job: Job) -> bool:
    return bool(finished_steps(job)) or (job.folder / "checkpoint.pt").is_file()
