"""What a run tells those who watch it: numbers and pictures as they come, files at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sectome.json_object import read_object

Row = tuple[int, float, str, float]
"""Of a history: iteration, seconds, name, value."""

Pixels = npt.NDArray[np.uint8]
"""A picture (rows, columns, red green blue)."""


class Tracker(Protocol):
    """One place to watch a run in, as `TensorBoardEvents` and `MLflowRun` are. Of several processes the first tells."""

    def start(self, rows: Sequence[Row], iteration: int) -> None:
        """Begin, or go on after an iteration whose history is `rows`; `run.json` is in the run's folder."""

    def log_numbers(self, rows: Sequence[Row]) -> None:
        """Take new rows of the history."""

    def log_picture(self, name: str, pixels: Pixels, iteration: int) -> None:
        """Take a picture of what the network does after an iteration."""

    def settle(self) -> None:
        """Keep what came so far: a checkpoint holds that state, so that no resume will tell it again."""

    def finish(self) -> None:
        """Settle and end; the run's files are complete."""


def flat_settings(output_dir: Path) -> dict[str, str]:
    """Return what `run.json` says as one text a setting, nothing if there is none."""
    record = read_object(output_dir / "run.json")
    values = {
        **record.get("settings", {}),
        **{key: record[key] for key in ("processes", "parameters") if key in record},
    }
    return {name: str(value) for name, value in values.items()}
