"""Explanations of failed trainings: which batch or process failed, what is kept, and what to change."""

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
    """Stop a run at NaN or infinite numbers before they reach a checkpoint, and explain other failures.

    Other failures are lack of memory and, with several processes, the end of another one. A loss is checked when the
    next one is there, so that a GPU has work meanwhile. Weights, which the last step of an epoch may have spoilt, are
    checked after each epoch, and the key metric after each validation.

    Args:
        output_dir: folder of the run, with the checkpoint that messages name.
        batch_size: samples per batch and process.
        accumulation_steps: batches per optimizer step.
        network: its weights are checked; None checks none.
        evaluator: MONAI evaluator whose key metric is checked; None checks none.

    Raises:
        InputError: if `accumulation_steps` is not a whole number >= 1.
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
        """Register the checks; must come before the others in the list of handlers."""
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
        """Check the previous loss, and start to copy this one."""
        self.check_loss()
        self.unseen = engine.state.iteration, Arriving(engine.state.output["loss"].detach())

    def check_loss(self) -> None:
        """End the run if the last copied loss is NaN or infinite.

        Raises:
            InputError: if it is; names the batch and the last good checkpoint.
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
        """End the run in all processes if a weight is NaN or infinite in any of them.

        Raises:
            InputError: if one is; names the iteration and the last good checkpoint.
        """
        finite = torch.stack([parameter.detach().isfinite().all() for parameter in network.parameters()]).all()
        if idist.all_reduce(int(not finite)):
            raise self.diverged(
                f"the weights must be finite numbers, got some that are not after iteration {engine.state.iteration}"
            )

    def check_validation(self, evaluator: Engine, engine: Engine) -> None:
        """End the run if the key metric of a validation is NaN or infinite.

        Raises:
            InputError: if it is; names the metric, the iteration and the last good checkpoint.
        """
        name = evaluator.state.key_metric_name
        value = float(evaluator.state.metrics[name])
        if not math.isfinite(value):
            raise self.diverged(f"{name} must be a finite number, got {value} after iteration {engine.state.iteration}")

    def diverged(self, sentence: str) -> InputError:
        """Return the error for a number that is not finite: `sentence`, then what is kept and what may help."""
        kept = f"the last good weights are in {self.checkpoint}" if self.checkpoint.is_file() else "no epoch was done"
        return InputError(
            f"{sentence}; {kept}; try a lower --lr, more --warmup_steps or --precision fp32 in another --output_dir"
        )

    def explain(self, engine: Engine, error: Exception) -> None:
        """Turn an out-of-memory error into advice on what to lower, and explain the end of another process.

        Raises:
            InputError: in place of torch's error; any other error is raised again.
        """
        if isinstance(error, torch.OutOfMemoryError):
            raise InputError(memory_advice(str(error), self.batch_size, self.accumulation_steps)) from None
        if idist.get_world_size() > 1 and _is_of_the_connection(error):
            raise self.lost_process() from None
        raise error

    def end(self, *_: Any) -> None:
        """End this process when torchrun asks for it because another one has ended.

        Raises:
            InputError: always; says how to resume.
        """
        raise self.lost_process()

    def lost_process(self) -> InputError:
        """Return the error for another process that has ended."""
        # This error already ends the process: torchrun need not ask again.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        go_on = (
            f"continues from {self.checkpoint}" if self.checkpoint.is_file() else "starts anew, as no epoch was done"
        )
        return InputError(
            f"all {idist.get_world_size()} processes of a run must keep running, got one that ended; fix the cause if "
            f"it gives one; the same command {go_on}"
        )


def _is_of_the_connection(error: Exception) -> bool:
    """Return whether an error comes from gloo or NCCL, as when the process at the other end is gone."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def memory_advice(message: str, batch_size: int, accumulation_steps: int | None = 1) -> str:
    """Return a sentence with the batch size that would have fitted, estimated from torch's out-of-memory message.

    Args:
        message: torch's message.
        batch_size: samples per batch and process.
        accumulation_steps: batches per optimizer step; None if a step must be one batch.
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
    advice = "lower --crop_size by a patch along each axis, or use a smaller network of configs/sizes"
    if fits:
        advice = f"lower --batch_size from {batch_size} to {fits}"
        if accumulation_steps is not None:
            steps = math.ceil(accumulation_steps * batch_size / fits)
            advice += f", and raise --accumulation_steps to {steps} for steps of as many samples"
    return f"the device's memory must hold a batch of {batch_size}, got: {message.splitlines()[0]}; {advice}"
