"""A run's numbers, in a CSV table and for trackers."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch.optim import Optimizer

from sectome.replace import replacing
from sectome.training.tracker import Row, Tracker

COLUMNS = ("iteration", "seconds", "name", "value")


class History:
    """Write `history.csv` in a run's folder, one row per number with columns `COLUMNS`, and send the rows to trackers.

    Rows are "loss" (mean over an epoch and all processes), "learning_rate" (then the name of its parameter group, if
    any), and each metric of the validation. Seconds count training only, summed over resumes.

    Args:
        output_dir: folder of the run.
        optimizer: source of the learning rates.
        evaluator: source of the metrics, logged after each of its runs.
        trackers: receivers of the rows, in the first of several processes; see `Tracker`.
    """

    def __init__(
        self,
        output_dir: str,
        optimizer: Optimizer,
        evaluator: Engine | None = None,
        trackers: Sequence[Tracker] = (),
    ) -> None:
        self.path = Path(output_dir) / "history.csv"
        self.optimizer = optimizer
        self.evaluator = evaluator
        self.writes = idist.get_rank() == 0
        self.trackers = trackers if self.writes else ()
        self.losses: list[Any] = []
        self.seconds = 0.0
        self.since = 0.0

    def attach(self, engine: Engine) -> None:
        """Log after each epoch; must come before the validation in the list of handlers."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.EPOCH_STARTED, self.start_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish_epoch)
        engine.add_event_handler(Events.COMPLETED, self.close)
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.COMPLETED, self.log_metrics, engine)

    def start(self, engine: Engine) -> None:
        """Drop earlier rows after the iteration from which the run continues."""
        if not self.writes:
            return
        rows = [row for row in read_history(self.path) if row[0] <= engine.state.iteration]
        self.seconds = max((row[1] for row in rows), default=0.0)
        with replacing(self.path) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        for tracker in self.trackers:
            tracker.start(rows, engine.state.iteration)

    def start_epoch(self, engine: Engine) -> None:
        """Start the clock and settle the trackers: the previous epoch's checkpoint is written."""
        for tracker in self.trackers:
            tracker.settle()
        self.losses, self.since = [], time.perf_counter()

    def collect(self, engine: Engine) -> None:
        """Keep the loss on its device: reading it would make a GPU wait."""
        self.losses.append(torch.as_tensor(engine.state.output["loss"]).detach())

    def finish_epoch(self, engine: Engine) -> None:
        """Write the mean loss and the learning rates."""
        self.seconds += time.perf_counter() - self.since
        mean = sum(float(loss) for loss in self.losses) / len(self.losses)
        rows = [("loss", idist.all_reduce(mean) / idist.get_world_size())]
        # Groups that differ only in weight decay share a name and a learning rate.
        rates = {f"learning_rate {group.get('name', '')}".strip(): group["lr"] for group in self.optimizer.param_groups}
        self.append(engine, [*rows, *rates.items()])

    def log_metrics(self, evaluator: Engine, engine: Engine) -> None:
        """Write the validation's metrics."""
        self.append(engine, [(name, float(value)) for name, value in evaluator.state.metrics.items()])

    def append(self, engine: Engine, rows: list[tuple[str, float]]) -> None:
        """Add rows (name, value) at the engine's iteration."""
        if not self.writes:
            return
        dated: list[Row] = [(engine.state.iteration, round(self.seconds, 3), *row) for row in rows]
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerows(dated)
        for tracker in self.trackers:
            tracker.log_numbers(dated)

    def close(self, engine: Engine) -> None:
        """Finish the trackers."""
        for tracker in self.trackers:
            tracker.finish()


def read_history(path: str | Path) -> list[Row]:
    """Return the rows (iteration, seconds, name, value) of a history; empty if there is no file.

    A last line that was cut off, for example by a full disk, is dropped: its number may lack digits.
    """
    if not Path(path).is_file():
        return []
    with Path(path).open(newline="") as file:
        lines = file.readlines()
    if lines and not _is_whole(lines[-1]):
        lines.pop()
    return [(int(row[0]), float(row[1]), row[2], float(row[3])) for row in list(csv.reader(lines))[1:]]


def _is_whole(line: str) -> bool:
    """Return whether a line has its line break and all columns."""
    return line.endswith("\n") and len(next(csv.reader([line]))) == len(COLUMNS)
