"""Fixed random numbers in each validation, without changing those of the training."""

from __future__ import annotations

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events


class FixedSeed:
    """Seed torch for each batch of an engine, and restore the random state at its end.

    The seed depends on the batch's number only, so that a batch is treated alike in any of several processes and in a
    single one (see `SharedBatches`).

    Args:
        seed: seed of the first batch, plus 1 for each further one.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.cpu = torch.get_rng_state()
        self.cuda: list[torch.Tensor] = []

    def attach(self, engine: Engine) -> None:
        """Seed before the engine's run and before each batch."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_STARTED, self.seed_batch)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Keep the random state, and seed for what the data loader draws."""
        self.cpu = torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        torch.manual_seed(self.seed)

    def seed_batch(self, engine: Engine) -> None:
        """Seed for the next batch."""
        number = (engine.state.iteration - 1) * idist.get_world_size() + idist.get_rank()
        torch.manual_seed(self.seed + number)

    def finish(self, engine: Engine) -> None:
        """Restore the random state."""
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)
