"""`sectome study`: a declared experiment, run and tabulated."""

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
    """Run the missing parts of a declared study: pre-training, fine-tuning, evaluation, for each arm and seed.

    Writes results.csv, summary.csv and a figure into TO. If it is stopped, the same command resumes.

    Args:
        file: the declaration, such as those in studies/.
        to: folder for runs and tables.
        only: only these arms, such as scratch,pretrained.
        redo: arms to run anew, with all that starts from them; name a pre-training as pretrainings/NAME.
        jobs: parallel runs; by default one per GPU, or without one as many as the cores allow, each with
            OMP_NUM_THREADS (1) threads.
        dry_run: print the commands and what is done already, and write nothing.
        overrides: config keys for all runs, as in "{epochs: 1, val_crops: 2}"; under pretraining or fine_tuning for one
            bundle.
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
