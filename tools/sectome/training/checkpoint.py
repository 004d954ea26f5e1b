"""Checkpoints of a training run: written atomically, and resumed exactly."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch.optim.lr_scheduler import LRScheduler

from sectome.checkpoint_file import load_strictly
from sectome.checks import InputError, check_writable, first_line
from sectome.crops import SampleNumbers
from sectome.differences import differences
from sectome.json_object import as_json, read_object, write_json
from sectome.replace import remove_partials, replacing
from sectome.trained_settings import settings_path
from sectome.training.early_stopping import EarlyStopping
from sectome.training.held_folders import hold_folders
from sectome.training.moved_files import follow_moved_files
from sectome.training.resumed_schedule import resume_schedule
from sectome.training.run_record import remove_outdated
from sectome.training.weight_average import WeightAverage


def save_atomically(content: Any, path: str | Path) -> None:
    """Save plain tensors and numbers so that `path` holds either the old file or the whole new one.

    Raises:
        OSError: if the system cannot write the file, as when the disk is full.
    """
    with replacing(Path(path)) as partial, partial.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # torch still ends its file after a failed write, and its error about that hides the cause.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        file.flush()
        os.fsync(file.fileno())


class TrainingCheckpoint:
    """Save a run after each epoch, and resume it from the last one.

    `checkpoint.pt` in the output folder holds all that a resume needs. `model.pt` beside the other weights holds the
    network alone, under "model", as MONAI's tools load it. `model.json` holds its training settings, for inference.
    When the weights are replaced, their evaluation files are removed. The first of several processes writes for all.

    Args:
        output_dir: folder of the run.
        ckpt_dir: folder of `model.pt`.
        states: objects with a `state_dict`: "model", "optimizer", "schedule".
        sampler: numbers the samples; a resume continues with the first unseen one.
        batch_size: samples per iteration and process.
        settings: plain values that must not change between a run and its resume, except file locations. Those that an
            older checkpoint lacks are not compared.
        resume: whether to resume from `checkpoint.pt` if it exists; otherwise it is overwritten.
        average: averaged weights to write as `model.pt`; without it, the state "model" is written.
        early_stopping: ends the run and selects the epochs that write `model.pt`; without it, all do.
        outdated: evaluation files of the weights in `model.pt`, removed when the weights are replaced.

    Raises:
        InputError: when a resume finds other settings, another network or number of processes, a file that is not a
            checkpoint, or no best weights so far; when another training writes to one of the folders.
    """

    def __init__(
        self,
        output_dir: str,
        ckpt_dir: str,
        states: Mapping[str, Any],
        sampler: SampleNumbers,
        batch_size: int,
        settings: Mapping[str, Any],
        resume: bool = True,
        average: WeightAverage | None = None,
        early_stopping: EarlyStopping | None = None,
        outdated: Sequence[str] = (),
    ) -> None:
        self.path = check_writable(output_dir, "output_dir") / "checkpoint.pt"
        self.model_path = check_writable(ckpt_dir, "ckpt_dir") / "model.pt"
        extra = {"average": average, "early_stopping": early_stopping}
        self.states = {**states, **{name: part for name, part in extra.items() if part is not None}}
        self.network = states["model"] if average is None else average.network
        self.early_stopping = early_stopping
        self.outdated = [Path(path) for path in outdated]
        self.sampler = sampler
        self.batch_size = batch_size
        self.settings = as_json(dict(settings))
        self.resume = resume

    def attach(self, engine: Engine) -> None:
        """Resume before the first epoch and save after each; remove partial files of a save that was killed."""
        hold_folders(engine, output_dir=self.path.parent, ckpt_dir=self.model_path.parent)
        if self.early_stopping is not None:
            self.early_stopping.attach(engine)
        processes = idist.get_world_size()
        found = idist.all_reduce(int(self.path.is_file()))
        if found not in (0, processes):
            raise InputError(f"every process must see {self.path}, got {found} of {processes} that do")
        if self.resume and found:
            self.load(engine)
        if idist.get_rank() == 0:
            for path in (self.path, self.model_path):
                remove_partials(path)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def save(self, engine: Engine) -> None:
        """Write the files."""
        # From every process: random numbers not drawn by a sample's number differ between them.
        random = idist.all_gather(_random_state())
        if idist.get_rank():
            return
        content: dict[str, Any] = {name: part.state_dict() for name, part in self.states.items()}
        content["trainer"] = {
            "epoch": engine.state.epoch,
            "iteration": engine.state.iteration,
            "epoch_length": engine.state.epoch_length,
            "max_epochs": engine.state.max_epochs,
        }
        content["settings"] = json.dumps(self.settings)
        content["random"] = random
        # The model first: a run that is killed between the two resumes from the old checkpoint and writes both again.
        if self.early_stopping is None or self.early_stopping.keeps(engine.state.epoch):
            remove_outdated(self.outdated)
            save_atomically({"model": self.network.state_dict()}, self.model_path)
            write_json(self.settings, settings_path(self.model_path))
        save_atomically(content, self.path)

    def load(self, engine: Engine) -> None:
        """Restore all states, and set the trainer and the sampler to where the run had ended."""
        content = self._read()
        # A schedule comes after the optimizer, whose learning rates it sets.
        for name, part in sorted(self.states.items(), key=lambda item: isinstance(item[1], LRScheduler)):
            if isinstance(part, LRScheduler):
                resume_schedule(part, content[name])
            elif name == "model":
                load_strictly(part, content[name], str(self.path))
            else:
                part.load_state_dict(content[name])
        if self.early_stopping is not None and self.early_stopping.best_epoch:
            self._check_kept(self.early_stopping.best_epoch)
        trainer = content["trainer"]
        if engine.state.max_epochs is not None and trainer["epoch"] >= engine.state.max_epochs:
            raise InputError(
                f"--epochs must be greater than {trainer['epoch']}, which {self.path} has already trained, got "
                f"{engine.state.max_epochs}; give more epochs, name another --output_dir, or start anew with --resume "
                "false"
            )
        engine.state.epoch = trainer["epoch"]
        engine.state.iteration = trainer["iteration"]
        self.sampler.start = trainer["iteration"] * self.batch_size * idist.get_world_size()
        # Restored when the data loader has started: its start draws from torch's generator, long ago in the first run.
        first = Events.ITERATION_STARTED(once=trainer["iteration"] + 1)
        engine.add_event_handler(first, _set_random_state, content["random"][idist.get_rank()])
        if idist.get_rank() == 0:
            print(f"resume from epoch {trainer['epoch']} of {self.path}", flush=True)

    def _read(self) -> dict[str, Any]:
        """Return the checkpoint's content, after checking that its settings and number of processes match this run."""
        try:
            content: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
            settings = json.loads(content["settings"])
        except Exception as error:
            raise InputError(
                f"{self.path} must be a run's checkpoint, got: {first_line(error)}; move it away to start anew"
            ) from None
        for difference in self._differences(settings):
            raise InputError(
                f"{self.path} was made with {difference}; resume with the same settings, name another --output_dir, "
                "or start anew with --resume false"
            )
        made_by, processes = len(content["random"]), idist.get_world_size()
        if made_by != processes:
            raise InputError(
                f"{self.path} was made by {made_by} processes, got {processes}; resume with as many (torchrun "
                "--nproc_per_node), name another --output_dir, or start anew with --resume false"
            )
        return content

    def _differences(self, trained: Mapping[str, Any]) -> Iterator[str]:
        """Yield the differences between the settings of a checkpoint or model and those of this run."""
        # Earlier versions wrote fewer settings.
        known = {name: value for name, value in self.settings.items() if name in trained}
        return differences(follow_moved_files(trained, known), known)

    def _check_kept(self, epoch: int) -> None:
        """Raise an `InputError` if `model.pt` does not hold the weights of the best epoch so far."""
        is_there = self.model_path.is_file()
        if not is_there or any(self._differences(read_object(settings_path(self.model_path)))):
            raise InputError(
                f"{self.model_path} must be the model of epoch {epoch}, the best so far, got "
                f"{'that of another training' if is_there else 'none'}; give the --ckpt_dir that the run had, move the "
                "model there, or start anew with --resume false"
            )


def _random_state() -> dict[str, Any]:
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def _set_random_state(states: Mapping[str, Any]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        for number, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, number)
