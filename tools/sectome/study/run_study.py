"""A study from its file to its tables: missing runs are run, finished ones are read."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sectome.checks import InputError
from sectome.file_lock import locked
from sectome.json_object import read_object, write_json
from sectome.replace import replacing
from sectome.report.figure_style import png_bytes
from sectome.study.bundle_command import find_bundles, shown
from sectome.study.declaration import Study, read_study
from sectome.study.figure import panels, study_figure
from sectome.study.places import places
from sectome.study.plan import Job, check_settings, choose_arms, choose_jobs, plan
from sectome.study.results import Row, columns, read_results, write_rows
from sectome.study.schedule import run_jobs
from sectome.study.state import check_unchanged, is_done, remove, status
from sectome.study.summary import SUMMARY, summarise, table

STUDY: Final = "study.json"
"""File in the study's folder that identifies the study."""

LOCK: Final = ".lock"


def run_study(
    path: str | Path,
    folder: str | Path,
    *,
    bundles: str | Path = "bundles",
    overrides: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    redo: Sequence[str] = (),
    jobs: int | None = None,
    dry_run: bool = False,
) -> dict[str, str]:
    """Run the missing runs of a study and write `results.csv`, `summary.csv` and a figure.

    Args:
        path: the study's JSON file.
        folder: folder for the study's runs and tables.
        bundles: folder that holds both bundles.
        overrides: overrides for every run; see `read_study`.
        only: arms, or entries in the file that declare several; by default all.
        redo: arms or `pretrainings/NAME` to run again, with all runs that start from them.
        jobs: number of concurrent runs; see `places`.
        dry_run: print the commands and the state of each run, and write nothing.

    Returns:
        Why each failed run failed, by its name.

    Raises:
        InputError: if an argument is invalid; nothing has been written then.
    """
    study = read_study(path, overrides)
    folder = Path(folder).resolve()
    roots = find_bundles(bundles)
    everything = plan(study, study.arms, folder, roots)
    again = choose_jobs(everything, redo)
    runs = plan(study, choose_arms(study, only), folder, roots)
    slots = places(jobs)
    _check_folder(folder, study)
    if lost := [run.name for run in again if run not in runs and run.folder.exists()]:
        raise InputError(
            f"--redo must name only what --only runs, got {', '.join(lost)}, whose results would be removed and not "
            "made anew: add it to --only"
        )
    check_settings(runs)
    check_unchanged([run for run in runs if run not in again])
    if dry_run:
        for run in runs:
            print(f"\n# {run.name}: {'to do anew' if run in again else status(run)}\ncd {shlex.quote(str(run.root))}")
            print("\n".join(shown(command) for command in run.commands.values()))
        return {}

    folder.mkdir(parents=True, exist_ok=True)
    with locked(
        folder / LOCK, f"expected a folder that no other study is running in, got {folder}, where one is running"
    ):
        write_json({"name": study.name, "asks": study.asks}, folder / STUDY)
        # Remove pre-trainings last, so that no arm is left whose pre-training is gone.
        for run in reversed(again):
            remove(run)
        done = sum(is_done(run) for run in runs)
        print(f"{study.name}: {study.asks}\n{len(runs)} runs, {done} done already, {len(slots)} at once", flush=True)
        failures = run_jobs(runs, slots, lambda: write_tables(study, folder, everything))
        rows, summary = write_tables(study, folder, everything)
        if (figure := study_figure(study, rows)) is not None:
            with replacing(folder / f"{study.name}.png") as partial:
                partial.write_bytes(png_bytes(figure))
    print(table(summary, panels(study, rows)))
    for name, reason in failures.items():
        print(f"failed: {name}: {reason}", flush=True)
    return failures


def write_tables(study: Study, folder: Path, jobs: Sequence[Job]) -> tuple[list[Row], list[Row]]:
    """Write the results and the summary of finished runs, and return both."""
    rows = read_results(study, folder, [job.folder for job in jobs if is_done(job)])
    summary = summarise(study, rows)
    write_rows(folder / "results.csv", columns(rows), rows)
    write_rows(folder / "summary.csv", SUMMARY, summary)
    return rows, summary


def _check_folder(folder: Path, study: Study) -> None:
    """Raise an `InputError` if a folder holds another study or other files."""
    if folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
        held = read_object(folder / STUDY).get("name")
        if held != study.name:
            found = f"the study {held!r}" if held else "other files"
            raise InputError(f"--to must be empty or hold the study {study.name!r}, got {folder} with {found}")
    elif folder.exists() and not folder.is_dir():
        raise InputError(f"--to must be a folder, got the file {folder}")
