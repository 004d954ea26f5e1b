"""What a person needs to know when training cannot go on: which batch or process, what is kept, and what to change."""

from __future__ import annotations

import math
import re
import signal
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn

from sectome.checks import InputError, check_whole_number
from sectome.training.arriving import Arriving


class Failures:
    """Stop at numbers that are not finite before they reach a checkpoint, and explain what else ends a run.

    That is memory that does not suffice and, where several processes train together, the end of another process. A loss
    is looked at when the next one is there, so that a GPU has work while its answer is waited for; weights, which the
    last step of an epoch may have spoilt, after each epoch; the key metric after each validation.

    Args:
        output_dir: folder of the run, for the checkpoint that is named.
        batch_size: samples a batch of one process.
        accumulation_steps: batches a step of the optimizer.
        network: whose weights are looked at; none are without it.
        evaluator: MONAI's, whose key metric is looked at; none is without it.

    Raises:
        InputError: if the steps are no whole number from 1 on.
    """

    def __init__(
        self,
        output_dir: str,
        batch_size: int,
        accumulation_steps: int = 1,
        network: nn.Module | None = None,
        evaluator: Engine | None = None,
    ) -> None:
        self.checkpoint = Path(output_dir) / "checkpoint.pt"
        self.batch_size = batch_size
        self.accumulation_steps = check_whole_number(accumulation_steps, 1, "accumulation_steps")
        self.network = network
        self.evaluator = evaluator
        self.unseen: tuple[int, Arriving] | None = None

    def attach(self, engine: Engine) -> None:
        """Look at numbers, and at what ends the run; must stand before the others in the list of handlers."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self.take_loss)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.check_loss)
        if self.network is not None:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.check_weights, self.network)
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.COMPLETED, self.check_validation, engine)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.explain)
        if idist.get_world_size() > 1:
            engine.add_event_handler(Events.STARTED, lambda: signal.signal(signal.SIGTERM, self.end))

    def take_loss(self, engine: Engine) -> None:
        """Check the loss before, and send for this one."""
        self.check_loss()
        self.unseen = engine.state.iteration, Arriving(engine.state.output["loss"].detach())

    def check_loss(self) -> None:
        """End the run if the last loss that was sent for is NaN or infinite.

        Raises:
            InputError: that names the batch and the last good checkpoint.
        """
        if self.unseen is None:
            return
        iteration, arriving = self.unseen
        self.unseen = None
        loss = arriving.value()
        if math.isfinite(loss):
            return
        samples = self.batch_size * idist.get_world_size()
        last = iteration * samples - 1
        raise self.diverged(
            f"the loss must be a finite number, got {loss} at iteration {iteration} (samples "
            f"{last - samples + 1} to {last})"
        )

    def check_weights(self, engine: Engine, network: nn.Module) -> None:
        """End the run, in all of its processes, if a weight is NaN or infinite in one of them.

        Raises:
            InputError: that names the iteration and the last good checkpoint.
        """
        finite = torch.stack([parameter.detach().isfinite().all() for parameter in network.parameters()]).all()
        if idist.all_reduce(int(not finite)):
            raise self.diverged(
                f"the weights must be finite numbers, got some that are not after iteration {engine.state.iteration}"
            )

    def check_validation(self, evaluator: Engine, engine: Engine) -> None:
        """End the run if the key metric of a validation is NaN or infinite.

        Raises:
            InputError: that names the metric, the iteration and the last good checkpoint.
        """
        name = evaluator.state.key_metric_name
        value = float(evaluator.state.metrics[name])
        if not math.isfinite(value):
            raise self.diverged(f"{name} must be a finite number, got {value} after iteration {engine.state.iteration}")

    def diverged(self, sentence: str) -> InputError:
        """Return the sentence about a number that is not finite, with what is kept and what may help."""
        kept = f"the last good weights are in {self.checkpoint}" if self.checkpoint.is_file() else "no epoch was done"
        return InputError(
            f"{sentence}; {kept}; try a lower --lr, more --warmup_steps or --precision fp32 in another --output_dir"
        )

    def explain(self, engine: Engine, error: Exception) -> None:
        """Turn an out-of-memory error into what to lower, and by how much; tell when another process has ended.

        Raises:
            InputError: instead of torch's error; every other error goes on.
        """
        if isinstance(error, torch.OutOfMemoryError):
            raise InputError(memory_advice(str(error), self.batch_size, self.accumulation_steps)) from None
        if idist.get_world_size() > 1 and _is_of_the_connection(error):
            raise self.lost_process() from None
        raise error

    def end(self, *_: Any) -> None:
        """End as torchrun asks its processes to when one of them has ended.

        Raises:
            InputError: that says how to go on.
        """
        raise self.lost_process()

    def lost_process(self) -> InputError:
        """Return the sentence about another process that has ended."""
        # The sentence is on its way: torchrun need not ask (again).
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        go_on = f"goes on from {self.checkpoint}" if self.checkpoint.is_file() else "starts anew, no epoch was done"
        return InputError(
            f"the {idist.get_world_size()} processes of a run must go on together, got one that was ended; if it says "
            f"why, mend that; the same command {go_on}"
        )


def _is_of_the_connection(error: Exception) -> bool:
    """Tell whether an error is gloo's or NCCL's, as when the process at the other end is gone."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def memory_advice(message: str, batch_size: int, accumulation_steps: int | None = 1) -> str:
    """Return a sentence that says which batch would have had room, by torch's out-of-memory message.

    Args:
        message: of torch.
        batch_size: samples a batch of one process.
        accumulation_steps: batches a step of the optimizer; None if a step must be one batch.
    """
    numbers = [
        float(number) * 1024.0 ** ("KiB", "MiB", "GiB", "TiB").index(unit)
        for number, unit in re.findall(r"([\d.]+) (KiB|MiB|GiB|TiB)", message)
    ]
    # "Tried to allocate A. GPU 0 has a total capacity of B of which C is free. ... D is allocated by PyTorch".
    fits = batch_size // 2
    if len(numbers) >= 2 and numbers[1] > 0:
        asked, total = numbers[0], numbers[1]
        fits = min(fits, math.floor(batch_size * total / (total + asked)))
    advice = "lower --crop_size by a patch along each axis, or take a smaller network of configs/sizes"
    if fits:
        advice = f"lower --batch_size from {batch_size} to {fits}"
        if accumulation_steps is not None:
            steps = math.ceil(accumulation_steps * batch_size / fits)
            advice += f", and raise --accumulation_steps to {steps} for steps of as many samples"
    return f"the device's memory must hold a batch of {batch_size}, got: {message.splitlines()[0]}; {advice}"
