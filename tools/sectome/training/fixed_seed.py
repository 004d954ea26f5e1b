"""The same random numbers in each validation, and none taken from the training."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events


class FixedSeed:
    """Seed torch when an engine starts, and put the random state back when it is done."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.cpu = torch.get_rng_state()
        self.cuda: list[torch.Tensor] = []

    def attach(self, engine: Engine) -> None:
        """Seed around the engine's run."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Hold the state and seed."""
        self.cpu = torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        torch.manual_seed(self.seed)

    def finish(self, engine: Engine) -> None:
        """Put the state back."""
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)
