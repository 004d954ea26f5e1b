"""Interface of trackers, which receive a run's numbers and pictures as they come, and its files at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sectome.json_object import read_object

Row = tuple[int, float, str, float]
"""Row of a history: iteration, seconds, name, value."""

Pixels = npt.NDArray[np.uint8]
"""A picture (rows, columns, RGB)."""


class Tracker(Protocol):
    """A receiver of a run's numbers, such as `TensorBoardEvents` or `MLflowRun`; only the first process sends any."""

    def start(self, rows: Sequence[Row], iteration: int) -> None:
        """Begin at iteration 0 or resume after `iteration`, with the history so far; `run.json` exists by now."""

    def log_numbers(self, rows: Sequence[Row]) -> None:
        """Receive new rows of the history."""

    def log_picture(self, name: str, pixels: Pixels, iteration: int) -> None:
        """Receive a picture of the network's output after an iteration."""

    def settle(self) -> None:
        """Make all rows so far permanent: their checkpoint is written, so that no resume will send them again."""

    def finish(self) -> None:
        """Settle and close; the run's files are complete."""


def flat_settings(output_dir: Path) -> dict[str, str]:
    """Return the content of `run.json` as one text per setting; empty if there is no such file."""
    record = read_object(output_dir / "run.json")
    values = {
        **record.get("settings", {}),
        **{key: record[key] for key in ("processes", "parameters") if key in record},
    }
    return {name: str(value) for name, value in values.items()}
