"""Tables of runs, and of their settings and versions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sectome.report.comparison import differing_settings
from sectome.report.markup import NONE, Cell, Row, number_cell, table
from sectome.report.runs import SEGMENT, Run
from sectome.training.progress import readable_seconds


def runs_table(runs: Sequence[Run]) -> str:
    """Return the table of runs with their size, duration of training and validation loss."""
    rows = []
    for run in runs:
        validation = run.series("val_loss")
        last, best = (validation[-1][1], min(value for _, value in validation)) if validation else (None, None)
        cells = [
            Cell(run.name),
            Cell(run.bundle),
            Cell(run.start if run.bundle == SEGMENT else NONE),
            number_cell(run.parameters, 0),
            number_cell(run.iterations if run.history else None, 0),
            Cell(readable_seconds(run.seconds) if run.history else NONE, number=True),
            number_cell(last, 4),
            number_cell(best, 4),
        ]
        rows.append(Row(cells))
    header = [Cell("run"), Cell("bundle"), Cell("start")]
    numbers = ("parameters", "iterations", "training", "last val. loss", "lowest val. loss")
    return table(
        [*header, *(Cell(name, number=True) for name in numbers)],
        rows,
        "Losses compare within a bundle only. Time is of training without validation.",
    )


def settings_table(runs: Sequence[Run]) -> str:
    """Return the settings and versions of one bundle's runs, with a column per run and differences marked."""
    parts = [("", [run.settings for run in runs]), ("version of ", [run.versions for run in runs])]
    rows = []
    for prefix, columns in parts:
        differing = differing_settings(columns)
        for name in dict.fromkeys(name for values in columns for name in values):
            cells = [Cell(_plain(values[name]) if name in values else NONE) for values in columns]
            rows.append(Row([Cell(prefix + name), *cells], kind="differs" if name in differing else ""))
    caption = "Shaded: not the same in all runs." if len(runs) > 1 else ""
    return table([Cell("setting"), *(Cell(run.name) for run in runs)], rows, caption)


def _plain(value: Any) -> str:
    if value == "":
        return "(empty)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
