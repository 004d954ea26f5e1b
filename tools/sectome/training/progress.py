"""Progress of a run: a line every few seconds with iterations done, speed and time left."""

from __future__ import annotations

import time

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events


def readable_seconds(seconds: float) -> str:
    """Return a duration as "2 h 05 min", "3 min 20 s" or "12 s"."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Progress:
    """Print iteration, loss, speed and time left, as separate lines so that logs stay readable.

    Args:
        name: name of the run.
        interval_seconds: time between lines.
    """

    def __init__(self, name: str, interval_seconds: float = 10.0) -> None:
        self.name = name
        self.interval_seconds = interval_seconds
        self.started = self.printed = 0.0
        self.first = 0

    def attach(self, engine: Engine) -> None:
        """Print while the engine runs, in the first of several processes."""
        if idist.get_rank():
            return
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)

    def start(self, engine: Engine) -> None:
        """Print the number of iterations and the device."""
        # MONAI's engines know their device, those of Ignite do not.
        device = torch.device(getattr(engine.state, "device", idist.device()))
        where = (
            torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
        )
        processes = idist.get_world_size()
        each = f"in {processes} processes, each on " if processes > 1 else "on "
        print(f"{self.name}: {self.total(engine)} iterations {each}{where}", flush=True)
        self.started = self.printed = time.perf_counter()
        self.first = engine.state.iteration

    def total(self, engine: Engine) -> int:
        """Return the number of iterations of the whole run."""
        return int(engine.state.max_epochs or 1) * int(engine.state.epoch_length or 1)

    def step(self, engine: Engine) -> None:
        """Print a line when it is due, and at the end."""
        now, total = time.perf_counter(), self.total(engine)
        done = engine.state.iteration
        if now - self.printed < self.interval_seconds and done < total:
            return
        self.printed = now
        rate = (done - self.first) / max(now - self.started, 1e-9)
        output = engine.state.output
        has_loss = isinstance(output, dict) and "loss" in output
        loss = f"  loss {float(torch.as_tensor(output['loss']).detach()):.4f}" if has_loss else ""
        left = readable_seconds((total - done) / rate)
        print(f"{self.name}: {done}/{total}{loss}  {rate:.2f} iterations/s  {left} left", flush=True)
