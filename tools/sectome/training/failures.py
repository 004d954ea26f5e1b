"""What a person needs to know when training cannot go on: which batch, what is kept, and what to change."""

from __future__ import annotations

import math
import re
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from sectome.checks import InputError


class Failures:
    """Stop at a loss that is not finite before it reaches the weights, and explain memory that does not suffice.

    Args:
        output_dir: folder of the run, for the checkpoint that is named.
        batch_size: samples a batch.
    """

    def __init__(self, output_dir: str, batch_size: int) -> None:
        self.checkpoint = Path(output_dir) / "checkpoint.pt"
        self.batch_size = batch_size

    def attach(self, engine: Engine) -> None:
        """Look at each loss before its backward pass, and at what ends the run."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self.check_loss)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.explain)

    def check_loss(self, engine: Engine) -> None:
        """End the run if the loss is NaN or infinite.

        Raises:
            InputError: that names the batch and the last good checkpoint.
        """
        loss = float(engine.state.output["loss"].detach())
        if math.isfinite(loss):
            return
        iteration = engine.state.iteration
        last = iteration * self.batch_size - 1
        kept = f"the last good weights are in {self.checkpoint}" if self.checkpoint.is_file() else "no epoch was done"
        raise InputError(
            f"the loss must be a finite number, got {loss} at iteration {iteration} (samples "
            f"{last - self.batch_size + 1} to {last}); {kept}; try a lower --lr, more --warmup_steps or "
            "--precision fp32 in another --output_dir"
        )

    def explain(self, engine: Engine, error: Exception) -> None:
        """Turn an out-of-memory error into what to lower, and by how much.

        Raises:
            InputError: instead of torch's error; every other error goes on.
        """
        if not isinstance(error, torch.OutOfMemoryError):
            raise error
        raise InputError(memory_advice(str(error), self.batch_size)) from None


def memory_advice(message: str, batch_size: int) -> str:
    """Return a sentence that says which batch would have had room, by torch's out-of-memory message."""
    numbers = [
        float(number) * 1024.0 ** ("KiB", "MiB", "GiB", "TiB").index(unit)
        for number, unit in re.findall(r"([\d.]+) (KiB|MiB|GiB|TiB)", message)
    ]
    # "Tried to allocate A. GPU 0 has a total capacity of B of which C is free. ... D is allocated by PyTorch".
    fits = batch_size // 2
    if len(numbers) >= 2 and numbers[1] > 0:
        asked, total = numbers[0], numbers[1]
        fits = min(fits, math.floor(batch_size * total / (total + asked)))
    advice = (
        f"lower --batch_size from {batch_size} to {fits}"
        if fits
        else "lower --crop_size by a patch along each axis, or take a smaller network of configs/sizes"
    )
    return f"the device's memory must hold a batch of {batch_size}, got: {message.splitlines()[0]}; {advice}"
