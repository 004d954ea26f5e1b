"""A training run's last state on disk: written whole or not at all, and resumed exactly."""

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
        OSError: if the system refuses it, as where the disk is full.
    """
    with replacing(Path(path)) as partial, partial.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # torch ends its file even so, and complains of where that is.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        file.flush()
        os.fsync(file.fileno())


class TrainingCheckpoint:
    """Save a run after each epoch, and take it up again where it ended.

    `checkpoint.pt` in the output folder holds all that a resume needs; `model.pt` beside the other weights holds the
    network alone, under "model", as MONAI's tools load it, and `model.json` what it was trained as, for inference. What
    an evaluation found of the weights that are replaced goes. The first of several processes writes for all.

    Args:
        output_dir: folder of the run.
        ckpt_dir: folder of `model.pt`.
        states: what has a `state_dict`: "model", "optimizer", "schedule".
        sampler: numbers the samples; set to go on with the first unseen one.
        batch_size: samples an iteration of one process.
        settings: plain values that must not change between a run and its resume, but for where files lie; those that an
            older checkpoint does not have are left alone.
        resume: go on from `checkpoint.pt` if it is there; else it is overwritten.
        average: its network is written as `model.pt`; without it, the state "model" is.
        early_stopping: ends the run, and says which epochs write `model.pt`; without it, all do.
        outdated: files that tell of the weights in `model.pt`: removed when others take their place.

    Raises:
        InputError: when a resume finds other settings, another network or number of processes, a file that is no
            checkpoint, or the best weights so far nowhere, or another training writes to one of the folders.
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
        """Resume before the first epoch, save after each; remove what a save that was killed has left."""
        hold_folders(engine, output_dir=self.path.parent, ckpt_dir=self.model_path.parent)
        if self.early_stopping is not None:
            self.early_stopping.attach(engine)
        processes = idist.get_world_size()
        found = idist.all_reduce(int(self.path.is_file()))
        if found not in (0, processes):
            raise InputError(f"each process must see {self.path}, got {found} of {processes} that do")
        if self.resume and found:
            self.load(engine)
        if idist.get_rank() == 0:
            for path in (self.path, self.model_path):
                remove_partials(path)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def save(self, engine: Engine) -> None:
        """Write the files."""
        # Of every process: what is not drawn by a sample's number differs between them.
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
        # The model first: a run that is ended between the two goes on from the old checkpoint and writes both again.
        if self.early_stopping is None or self.early_stopping.keeps(engine.state.epoch):
            remove_outdated(self.outdated)
            save_atomically({"model": self.network.state_dict()}, self.model_path)
            write_json(self.settings, settings_path(self.model_path))
        save_atomically(content, self.path)

    def load(self, engine: Engine) -> None:
        """Restore everything and tell the trainer and the sampler how far the run had come."""
        content = self._read()
        # A schedule comes after the optimizer, whose rates it sets.
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
                f"{self.path} has already trained {trainer['epoch']} epochs, got --epochs {engine.state.max_epochs}; "
                "give more epochs, another --output_dir, or start anew with --resume false"
            )
        engine.state.epoch = trainer["epoch"]
        engine.state.iteration = trainer["iteration"]
        self.sampler.start = trainer["iteration"] * self.batch_size * idist.get_world_size()
        # A data loader draws from torch's generator when it starts, which the uninterrupted run did long before.
        first = Events.ITERATION_STARTED(once=trainer["iteration"] + 1)
        engine.add_event_handler(first, _set_random_state, content["random"][idist.get_rank()])
        if idist.get_rank() == 0:
            print(f"resume from epoch {trainer['epoch']} of {self.path}", flush=True)

    def _read(self) -> dict[str, Any]:
        """Return what the checkpoint holds, of a run with the settings and the number of processes of this one."""
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
        """Yield where the settings that a checkpoint or a model was trained with are not the ones of now."""
        # An earlier version wrote fewer of them.
        known = {name: value for name, value in self.settings.items() if name in trained}
        return differences(follow_moved_files(trained, known), known)

    def _check_kept(self, epoch: int) -> None:
        """Raise an `InputError` if the weights of the best epoch so far do not lie where a better one's will."""
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
