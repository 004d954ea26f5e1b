"""The end of a run that no longer gets better, and which of its weights are kept."""

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
    """End training after so many validations without a lower key metric; `model.pt` is then that of the lowest one.

    Args:
        evaluator: MONAI's, with a key metric of which less is better.
        patience: validations to wait for a better one; 0 trains to the last epoch and keeps the last weights.
        validations: how many the whole run has; none at all is warned of.
        judged_on: plain values that the key metric depends on, as the volumes: must not change between a run and its
            resume, but for where files lie.

    Raises:
        InputError: if the patience is no whole number from 0 on, or has no validation to judge.
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
                f"patience counts validations, of which a run must have one, got --patience {patience} and a "
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
        """Judge each validation; `TrainingCheckpoint` attaches what it is given, before itself."""
        if self.patience:
            self.evaluator.add_event_handler(Events.COMPLETED, self.judge, engine)

    def judge(self, evaluator: Engine, engine: Engine) -> None:
        """Compare with the best so far, and end the training if that is too long ago."""
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
        """Tell whether the weights after an epoch are the ones to keep, until a later epoch's are."""
        return not self.patience or self.best_epoch in (0, epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resume needs to go on counting, and the patience, for `ended_early`."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self.waited,
            "patience": self.patience,
            "judged_on": json.dumps(self.judged_on),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting.

        Raises:
            InputError: if the run that goes on was ended, and the patience is no greater now, or its best epoch was
                judged on other data.
        """
        if not self.patience:
            return
        if state["waited"] >= self.patience:
            raise InputError(
                f"the run ended early, its best epoch was {state['best_epoch']}; to go on it must wait for more than "
                f"{state['waited']} validations, got --patience {self.patience}; give more, another --output_dir, or "
                "start anew with --resume false"
            )
        # Where nothing was judged, or by an earlier version, there is nothing to compare with.
        before = json.loads(state["judged_on"]) if state["best_epoch"] and "judged_on" in state else self.judged_on
        for difference in differences(follow_moved_files(before, self.judged_on), self.judged_on):
            raise InputError(
                f"the best epoch so far, {state['best_epoch']}, was judged with {difference}; resume with the same "
                "validation, give --patience 0, another --output_dir, or start anew with --resume false"
            )
        self.best, self.best_epoch, self.waited = state["best"], state["best_epoch"], state["waited"]


def ended_early(state: Mapping[str, Any]) -> bool:
    """Tell whether a run was ended, by the state of its `EarlyStopping`; those of earlier versions do not say it."""
    return 0 < state.get("patience", 0) <= state["waited"]
