"""Exponential moving average of the weights, validated and saved instead of the last weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sectome.checks import check_below_one


class WeightAverage:
    """Average the weights of a network during training; its buffers are copied.

    Attributes:
        network: network to validate and save: the averaged one, or the trained one if nothing is averaged.

    Args:
        trained: network in training.
        decay: weight of the previous average in each step, against the newest weights; 0 averages nothing. At step n it
            is at most `(1 + n) / (10 + n)`: the average of a short run would otherwise be that of its random start.

    Raises:
        InputError: if `decay` is not in [0, 1).
    """

    def __init__(self, trained: nn.Module, decay: float = 0.0) -> None:
        self.decay = check_below_one(decay, "ema_decay")
        self.trained = trained
        self.average = AveragedModel(trained) if decay else None
        self.network: nn.Module = self.average.module if self.average else trained

    def update(self) -> None:
        """Add the newest weights to the average; call after each optimizer step."""
        if self.average is None:
            return
        # Not by `update_parameters`: it moves the number of steps to the weights' device, and reading it there would
        # wait.
        steps = int(self.average.n_averaged)
        decay = min(self.decay, (1 + steps) / (10 + steps)) if steps else 0.0
        averaged, newest = (
            [parameter.detach() for parameter in network.parameters()] for network in (self.network, self.trained)
        )
        get_ema_multi_avg_fn(decay)(averaged, newest, steps)
        # Buffers, such as a batch norm's statistics, are averages already.
        for kept, latest in zip(self.network.buffers(), self.trained.buffers(), strict=True):
            kept.copy_(latest)
        self.average.n_averaged += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the average and its number of steps; empty if nothing is averaged."""
        return self.average.state_dict() if self.average else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the average."""
        if self.average is not None:
            self.average.load_state_dict(state)
