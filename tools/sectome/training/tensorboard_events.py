"""A run's numbers, settings and pictures as TensorBoard events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from sectome.training.tracker import Pixels, Row, flat_settings


class TensorBoardEvents:
    """Write events to `tensorboard/` in a run's folder.

    Args:
        output_dir: folder of the run.
    """

    events: SummaryWriter

    def __init__(self, output_dir: str) -> None:
        self.output_dir = Path(output_dir)

    def start(self, rows: Sequence[Row], iteration: int) -> None:
        """Open a new event file, and purge events of earlier files after this iteration."""
        # `purge_step` is the first step that is purged.
        purge = iteration + 1 if iteration else 0
        self.events = SummaryWriter(str(self.output_dir / "tensorboard"), purge_step=purge)
        # `SummaryWriter.add_hparams` would start a second run in a folder of its own.
        for summary in hparams(flat_settings(self.output_dir), {}):
            self.events.file_writer.add_summary(summary)

    def log_numbers(self, rows: Sequence[Row]) -> None:
        """Write scalars, with the iteration as the step."""
        for iteration, _, name, value in rows:
            self.events.add_scalar(name, value, iteration)

    def log_picture(self, name: str, pixels: Pixels, iteration: int) -> None:
        """Write an image."""
        self.events.add_image(name, pixels, iteration, dataformats="HWC")

    def settle(self) -> None:
        """Write all pending events to the file."""
        self.events.flush()

    def finish(self) -> None:
        """Close the file."""
        self.events.close()
