"""Scores of an evaluation, sent to the trackers of its run."""

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
    """Log an evaluation to MLflow, in the MLflow run of the training in the same folder, if it has one.

    Args:
        output_dir: folder of the run.
        scores: name of the JSON file that the evaluation writes there; its numbers become metrics, named by their path
            in it.
        picture: name of the picture there.
        trackers: MLflow runs; none if not tracked.
    """

    def __init__(self, output_dir: str, scores: str, picture: str, trackers: Sequence[MLflowRun]) -> None:
        self.scores = Path(output_dir) / scores
        self.picture = Path(output_dir) / picture
        self.trackers = trackers

    def attach(self, engine: Engine) -> None:
        """Log at the end; must come after the writers of the files. Opens the store first, so that no work is lost."""
        if idist.get_rank():
            return
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.COMPLETED, self.tell)

    def start(self, engine: Engine) -> None:
        """Open the MLflow runs."""
        for tracker in self.trackers:
            tracker.open()

    def tell(self, engine: Engine) -> None:
        """Log numbers and files."""
        rows = [(0, 0.0, name, value) for name, value in flat_numbers(read_object(self.scores)).items()]
        for tracker in self.trackers:
            tracker.log_numbers(rows)
            tracker.settle()
            tracker.log_files([self.scores, self.picture], "evaluation")
            tracker.close()


def flat_numbers(content: Mapping[str, Any], parent: str = "") -> dict[str, float]:
    """Return the numbers in nested dictionaries by their path, as in "scores/one segment/are"; lists are left out."""
    found: dict[str, float] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            found |= flat_numbers(value, f"{parent}{key}/")
        elif is_number(value):
            # MLflow allows no other characters in names.
            found[re.sub(r"[^\w./: -]", "", f"{parent}{key}")] = float(value)
    return found
