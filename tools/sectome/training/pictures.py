"""Pictures of what a network makes of one and the same crop, while it learns."""

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
        """Return what the picture is drawn from, of a batch's "image", "label" and "pred"."""

    def draw(self, arrays: Mapping[str, Array]) -> Figure:
        """Return the picture."""


class Pictures:
    """Draw the first crop of validations and show it to trackers.

    Drawing takes as long as many steps of a small network, and a run learns less and less. So pictures are drawn of the
    first validation, of the first one in each doubling of the epochs, and of the last.

    Args:
        evaluator: whose output is drawn.
        picture: draws it.
        trackers: are shown it.
    """

    def __init__(self, evaluator: Engine, picture: Picture, trackers: Sequence[Tracker]) -> None:
        self.evaluator = evaluator
        self.picture = picture
        self.trackers = trackers
        self.arrays: dict[str, Array] = {}
        self.iteration = self.drawn = self.epoch = 0

    def attach(self, engine: Engine) -> None:
        """Draw in the first of several processes; must stand before the history, which ends what trackers are told."""
        if idist.get_rank():
            return
        engine.add_event_handler(Events.STARTED, self.start)
        self.evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=1), self.take, engine)
        self.evaluator.add_event_handler(Events.COMPLETED, self.judge, engine)
        engine.add_event_handler(Events.COMPLETED, self.show)

    def start(self, engine: Engine) -> None:
        """Go on from the epoch of a checkpoint."""
        self.epoch = engine.state.epoch

    def take(self, evaluator: Engine, engine: Engine) -> None:
        """Keep what the picture needs, which is little."""
        self.arrays, self.iteration = self.picture.take(evaluator.state.output), engine.state.iteration

    def judge(self, evaluator: Engine, engine: Engine) -> None:
        """Draw if the epochs have doubled."""
        if engine.state.epoch.bit_length() > self.epoch.bit_length():
            self.epoch = engine.state.epoch
            self.show(engine)

    def show(self, engine: Engine) -> None:
        """Draw what was kept, unless it has been drawn."""
        if self.iteration == self.drawn:
            return
        self.drawn = self.iteration
        pixels = figure_pixels(self.picture.draw(self.arrays))
        for tracker in self.trackers:
            tracker.log_picture(self.picture.name, pixels, self.iteration)


def figure_pixels(figure: Figure) -> Pixels:
    """Return a figure as pixels on white."""
    figure.set_dpi(DOTS_PER_INCH)
    figure.set_facecolor("white")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
