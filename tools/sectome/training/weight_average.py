"""An exponential moving average of the weights, which is validated and kept in the place of the last weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sectome.checks import check_below_one


class WeightAverage:
    """Keep averaged weights beside those that are trained, with the buffers of these.

    Attributes:
        network: what to validate and to keep: the averaged network, or the trained one if nothing is averaged.

    Args:
        trained: the network that is trained.
        decay: weight of the average so far against the newest weights, in each step; 0 averages nothing. The first
            steps count more, `(1 + n) / (10 + n)` at step n if that is less: a short run's average would else be
            that of its random start.

    Raises:
        InputError: if the decay does not lie in [0, 1).
    """

    def __init__(self, trained: nn.Module, decay: float = 0.0) -> None:
        self.decay = check_below_one(decay, "ema_decay")
        self.trained = trained
        self.average = AveragedModel(trained) if decay else None
        self.network: nn.Module = self.average.module if self.average else trained

    def update(self) -> None:
        """Take the newest weights in; after each step of the optimizer."""
        if self.average is None:
            return
        # Not by `update_parameters`: it sends the number of steps to the weights' device, from where it would be asked.
        steps = int(self.average.n_averaged)
        decay = min(self.decay, (1 + steps) / (10 + steps)) if steps else 0.0
        averaged, newest = (
            [parameter.detach() for parameter in network.parameters()] for network in (self.network, self.trained)
        )
        get_ema_multi_avg_fn(decay)(averaged, newest, steps)
        # Statistics, as of a batch norm, are averages already.
        for kept, latest in zip(self.network.buffers(), self.trained.buffers(), strict=True):
            kept.copy_(latest)
        self.average.n_averaged += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the average and its number of steps, nothing if nothing is averaged."""
        return self.average.state_dict() if self.average else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        if self.average is not None:
            self.average.load_state_dict(state)
