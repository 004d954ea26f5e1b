"""Pictures of a network's output for the same crop in the course of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sectome.training.tracker import Pixels, Tracker
from sectome.types import Array

DOTS_PER_INCH = 110


class Picture(Protocol):
    """A kind of picture."""

    name: str

    def take(self, output: Mapping[str, Any]) -> dict[str, Array]:
        """Return the arrays to draw, from a batch's "image", "label" and "pred"."""

    def draw(self, arrays: Mapping[str, Array]) -> Figure:
        """Return the picture."""


class Pictures:
    """Draw the first crop of validations and send the pictures to trackers.

    Drawing takes as long as many steps of a small network, and a run changes less and less. So pictures are drawn of
    the first validation, of the first one after each doubling of the epochs, and of the last.

    Args:
        evaluator: source of the output.
        picture: kind of picture.
        trackers: receivers of the pictures.
    """

    def __init__(self, evaluator: Engine, picture: Picture, trackers: Sequence[Tracker]) -> None:
        self.evaluator = evaluator
        self.picture = picture
        self.trackers = trackers
        self.arrays: dict[str, Array] = {}
        self.iteration = self.drawn = self.epoch = 0

    def attach(self, engine: Engine) -> None:
        """Draw in the first of several processes; must come before the history, which finishes the trackers."""
        if idist.get_rank():
            return
        engine.add_event_handler(Events.STARTED, self.start)
        self.evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=1), self.take, engine)
        self.evaluator.add_event_handler(Events.COMPLETED, self.judge, engine)
        engine.add_event_handler(Events.COMPLETED, self.show)

    def start(self, engine: Engine) -> None:
        """Continue from the epoch of a checkpoint."""
        self.epoch = engine.state.epoch

    def take(self, evaluator: Engine, engine: Engine) -> None:
        """Keep the arrays that the picture needs, which are small."""
        self.arrays, self.iteration = self.picture.take(evaluator.state.output), engine.state.iteration

    def judge(self, evaluator: Engine, engine: Engine) -> None:
        """Draw if the number of epochs has passed a power of two."""
        if engine.state.epoch.bit_length() > self.epoch.bit_length():
            self.epoch = engine.state.epoch
            self.show(engine)

    def show(self, engine: Engine) -> None:
        """Draw the kept arrays, unless they were drawn before."""
        if self.iteration == self.drawn:
            return
        self.drawn = self.iteration
        pixels = figure_pixels(self.picture.draw(self.arrays))
        for tracker in self.trackers:
            tracker.log_picture(self.picture.name, pixels, self.iteration)


def figure_pixels(figure: Figure) -> Pixels:
    """Return a figure's pixels, on a white background."""
    figure.set_dpi(DOTS_PER_INCH)
    figure.set_facecolor("white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
