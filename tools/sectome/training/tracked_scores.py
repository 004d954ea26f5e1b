"""What an evaluation found, told to those who watch the run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from sectome.checks import is_number
from sectome.json_object import read_object
from sectome.training.mlflow_run import MLflowRun


class TrackedScores:
    """Tell MLflow of an evaluation, in the run of MLflow that the training in the same folder was told to, if any.

    Args:
        output_dir: folder of the run.
        scores: name of the JSON file that the evaluation writes there; its numbers become metrics, named by their path
            in it.
        picture: name of the picture there.
        trackers: are told; none if the evaluation is not tracked.
    """

    def __init__(self, output_dir: str, scores: str, picture: str, trackers: Sequence[MLflowRun]) -> None:
        self.scores = Path(output_dir) / scores
        self.picture = Path(output_dir) / picture
        self.trackers = trackers

    def attach(self, engine: Engine) -> None:
        """Tell at the end; must stand after what writes the files. The store is opened first, lest work be lost."""
        if idist.get_rank():
            return
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.COMPLETED, self.tell)

    def start(self, engine: Engine) -> None:
        """Open the runs."""
        for tracker in self.trackers:
            tracker.open()

    def tell(self, engine: Engine) -> None:
        """Tell numbers and files."""
        rows = [(0, 0.0, name, value) for name, value in flat_numbers(read_object(self.scores)).items()]
        for tracker in self.trackers:
            tracker.log_numbers(rows)
            tracker.settle()
            tracker.log_files([self.scores, self.picture], "evaluation")
            tracker.close()


def flat_numbers(content: Mapping[str, Any], parent: str = "") -> dict[str, float]:
    """Return the numbers of nested dictionaries by their path, as in "scores/one segment/are"; lists are left out."""
    found: dict[str, float] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            found |= flat_numbers(value, f"{parent}{key}/")
        elif is_number(value):
            # Of other characters MLflow makes no names.
            found[re.sub(r"[^\w./: -]", "", f"{parent}{key}")] = float(value)
    return found
