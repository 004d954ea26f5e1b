"""What a run's folder says of how far it has come, so that a study that was stopped goes on."""

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
    """Return the seconds that each finished command of a run took."""
    return dict(read_object(job.folder / STATE).get("finished", {}))


def is_done(job: Job) -> bool:
    """Tell whether all commands of a run are finished, with the settings that it has now."""
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
    """Write what a run is and which of its commands are finished; appears whole or not at all."""
    content = {"declared": job.declared, "overlays": job.overlays, "finished": dict(finished)}
    write_json(content, job.folder / STATE)


def write_commands(job: Job, environment: Mapping[str, str]) -> None:
    """Write the run's commands as a script that a person can repeat."""
    lines = ["#!/bin/sh -e", f"# {job.name}", *(f"export {name}={value}" for name, value in environment.items())]
    lines += [f'cd "{job.root}"', *(shown(command) for command in job.commands.values())]
    (job.folder / COMMANDS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def check_unchanged(jobs: Sequence[Job]) -> None:
    """Raise an `InputError` if a run has results that were made with other settings; shows what differs."""
    for job in jobs:
        state = read_object(job.folder / STATE)
        if "declared" not in state or not _has_results(job):
            continue
        # What an overlay held is not known of runs that an older version has made.
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
    """Return settings with a word for null: an override of null is one, and without it the config's value counts."""
    if isinstance(part, Mapping):
        return {name: _with_nulls(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_with_nulls(value) for value in part]
    return "null" if part is None else part


def remove(job: Job) -> None:
    """Remove a run's folder, all of it at once: what is left of one could seem to be done, or trained."""
    removed = job.folder.with_name(f".{job.folder.name}.removed")
    if removed.exists():
        shutil.rmtree(removed)
    if job.folder.is_dir():
        job.folder.rename(removed)
        shutil.rmtree(removed)


def last_line(path: Path) -> str:
    """Return the last line of a log that is not empty."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def is_trained(folder: Path) -> bool:
    """Tell whether a run ended between its last epoch and the end of its command: it can not train on.

    The last epoch is that of all, or the one after which its patience was at an end.
    """
    try:
        content = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
        trainer = content["trainer"]
        return bool(trainer["epoch"] >= trainer["max_epochs"] or ended_early(content.get("early_stopping", {})))
    except Exception:
        # The bundle starts anew without a checkpoint, and says what is wrong with one.
        return False


def _has_results(job: Job) -> bool:
    return bool(finished_steps(job)) or (job.folder / "checkpoint.pt").is_file()
