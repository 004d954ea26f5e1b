"""Early stopping of a run that no longer improves, with the best weights kept."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from sectome.checks import InputError, check_whole_number
from sectome.differences import differences
from sectome.json_object import as_json
from sectome.training.moved_files import follow_moved_files


class EarlyStopping:
    """End training after `patience` validations without a lower key metric; `model.pt` keeps the weights of the lowest.

    Args:
        evaluator: MONAI evaluator whose key metric is better when lower.
        patience: validations to wait for a better one; 0 trains to the last epoch and keeps the last weights.
        validations: number of validations in the whole run; 0 gives a warning.
        judged_on: plain values that the key metric depends on, such as the volumes; must not change between a run and
            its resume, except file locations.

    Raises:
        InputError: if `patience` is not a whole number >= 0, or is given for a run without validations.
    """

    def __init__(
        self,
        evaluator: Engine,
        patience: int = 0,
        validations: int = 1,
        judged_on: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.evaluator = evaluator
        self.patience = check_whole_number(patience, 0, "patience")
        if patience and validations < 1:
            raise InputError(
                f"a run with --patience must have at least one validation, got --patience {patience} and a "
                "--val_interval greater than --epochs"
            )
        if validations < 1:
            warnings.warn(
                "the run ends before its first validation, as --val_interval is greater than --epochs", stacklevel=2
            )
        self.judged_on = as_json(dict(judged_on))
        self.best = math.inf
        self.best_epoch = self.waited = 0

    def attach(self, engine: Engine) -> None:
        """Judge each validation; `TrainingCheckpoint` calls this before it attaches itself."""
        if self.patience:
            self.evaluator.add_event_handler(Events.COMPLETED, self.judge, engine)

    def judge(self, evaluator: Engine, engine: Engine) -> None:
        """Compare the key metric with the best so far, and end the training if that is too long ago."""
        name = evaluator.state.key_metric_name
        value = float(evaluator.state.metrics[name])
        if value < self.best:
            self.best, self.best_epoch, self.waited = value, engine.state.epoch, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            if idist.get_rank() == 0:
                print(
                    f"stop after epoch {engine.state.epoch}: no {name} below {self.best:.4f} of epoch "
                    f"{self.best_epoch} in {self.waited} validations",
                    flush=True,
                )
            engine.terminate()

    def keeps(self, epoch: int) -> bool:
        """Return whether `model.pt` gets the weights of this epoch: only those of the best, once one was judged."""
        return not self.patience or self.best_epoch in (0, epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the counters that a resume needs, and the patience for `ended_early`."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self.waited,
            "patience": self.patience,
            "judged_on": json.dumps(self.judged_on),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the counters.

        Raises:
            InputError: if the run had ended early and the patience is no greater now, or if its best epoch was judged
                on other data.
        """
        if not self.patience:
            return
        if state["waited"] >= self.patience:
            raise InputError(
                f"--patience must be greater than {state['waited']} to continue this run, which ended early after its "
                f"best epoch {state['best_epoch']}, got {self.patience}; give more, name another --output_dir, or "
                "start anew with --resume false"
            )
        # A run without a judged epoch, or of an earlier version, has nothing to compare with.
        before = json.loads(state["judged_on"]) if state["best_epoch"] and "judged_on" in state else self.judged_on
        for difference in differences(follow_moved_files(before, self.judged_on), self.judged_on):
            raise InputError(
                f"the best epoch so far, {state['best_epoch']}, was judged with {difference}; resume with the same "
                "validation, give --patience 0, name another --output_dir, or start anew with --resume false"
            )
        self.best, self.best_epoch, self.waited = state["best"], state["best_epoch"], state["waited"]


def ended_early(state: Mapping[str, Any]) -> bool:
    """Return whether a run ended early, by its `EarlyStopping` state; False for states of earlier versions."""
    return 0 < state.get("patience", 0) <= state["waited"]
