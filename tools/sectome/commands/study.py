"""`sectome study`: a declared experiment, run and tabled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sectome.checks import InputError


def study(
    file: str,
    to: str,
    only: Sequence[str] = (),
    redo: Sequence[str] = (),
    jobs: int | None = None,
    dry_run: bool = False,
    overrides: Any = None,
    dataset_dir: str | None = None,
    bundles: str = "bundles",
) -> None:
    """Run what is missing of a declared study: pre-training, fine-tuning, evaluation, for each arm and seed.

    Writes results.csv, summary.csv and a figure into TO; a study that was stopped goes on by the same command.

    Args:
        file: the declaration, as those in studies/.
        to: folder of the runs and the tables.
        only: some arms, as in scratch,pretrained.
        redo: arms to run anew, and what starts from them; a pre-training as pretrainings/NAME.
        jobs: runs at once; one a GPU by default, or one a core, each with OMP_NUM_THREADS (1) threads.
        dry_run: print the commands and what is done already, and write nothing.
        overrides: for every run, as in "{epochs: 1, val_crops: 2}"; under pretraining or fine_tuning for one bundle.
        dataset_dir: folder of the volumes, for data sets whose overlays do not say where yours are.
        bundles: folder that holds the two bundles.
    """
    from sectome.study import run_study

    if not isinstance(overrides or {}, dict):
        raise InputError(f'overrides must be written as "{{epochs: 1, crop_size: [8, 32, 32]}}", got {overrides!r}')
    place = {} if dataset_dir is None else {"dataset_dir": str(Path(dataset_dir).resolve())}
    failures = run_study(
        file,
        to,
        bundles=bundles,
        overrides={**place, **(overrides or {})},
        only=only,
        redo=redo,
        jobs=jobs,
        dry_run=dry_run,
    )
    if failures:
        raise SystemExit(1)
