"""A run's folder, read: what was set, how training went, what the evaluation left."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sectome.checks import InputError
from sectome.json_object import read_object
from sectome.report.run_files import read_arrays, read_number
from sectome.report.scores import Scores, read_scores
from sectome.training.history import read_history
from sectome.training.tracker import Row
from sectome.types import Array

PRETRAIN: Final = "mae_pretrain"
SEGMENT: Final = "em_segmentation"

OVERLAYS: Final = ("raw", "affinity", "segmentation", "truth")
"""Arrays of `overlays.npz`, each for both planes."""

FOREGROUND_OVERLAYS: Final = ("raw", "foreground", "segmentation", "truth")
"""The same of a run that finds mitochondria."""

RECONSTRUCTIONS: Final = ("image", "masked", "reconstructed", "hidden", "voxel_size_nm")
"""Arrays of `reconstructions.npz`."""

PLANES: Final = ("xy", "xz")


@dataclass(frozen=True)
class MaskedLoss:
    """The loss on hidden patches, beside that of a mean; without a number of crops it is of the last validation."""

    masked_loss: float
    masked_loss_of_mean: float
    mask_ratio: float
    crops: int | None


@dataclass(frozen=True)
class Run:
    """One run; what its folder lacks is empty or None."""

    name: str
    bundle: str
    settings: Mapping[str, Any]
    parameters: int | None
    versions: Mapping[str, Any]
    commands: tuple[str, ...]
    history: tuple[Row, ...]
    masked_loss: MaskedLoss | None
    reconstructions: Mapping[str, Array] | None
    scores: Scores | None
    overlays: Mapping[str, Array] | None

    @property
    def pretrained(self) -> bool:
        """Whether the network started from a pre-trained encoder."""
        return bool(self.settings.get("pretrained"))

    @property
    def goes_on(self) -> bool:
        """Whether all of the network's weights are those of an earlier training, pre-trained or not."""
        return bool(self.settings.get("weights"))

    @property
    def pretrains(self) -> bool:
        """Whether the run hides patches and predicts them: all of mae_pretrain do, and some of em_segmentation."""
        return self.bundle == PRETRAIN or "mask_ratio" in self.settings

    @property
    def finds_mitochondria(self) -> bool:
        """Whether its scores are of mitochondria; not known before it is evaluated."""
        return self.scores is not None and self.scores.of_mitochondria

    @property
    def start(self) -> str:
        """How the network's weights began, in words."""
        if self.goes_on:
            return "from a whole model"
        return "pre-trained" if self.pretrained else "from scratch"

    @property
    def iterations(self) -> int:
        """Iterations that the history has come to."""
        return max((row[0] for row in self.history), default=0)

    @property
    def seconds(self) -> float:
        """Seconds of training."""
        return max((row[1] for row in self.history), default=0.0)

    def series(self, name: str) -> list[tuple[int, float]]:
        """Return (iteration, value) of the history's rows with this name."""
        return [(iteration, value) for iteration, _, row, value in self.history if row == name]


def read_runs(folders: Sequence[str | Path]) -> list[Run]:
    """Return the runs of some folders, each with a name of its own.

    A run is called as its folder; where two folders are called the same, the folders above tell them apart.

    Raises:
        InputError: if there is no folder, one is given twice, or one is not a run's.
    """
    if isinstance(folders, (str, Path)):
        folders = [folders]
    paths = [Path(folder).resolve() for folder in folders]
    if not paths:
        raise InputError("a report needs at least one run folder, got none")
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"each run folder must be given once, got {path} twice")
    return [read_run(path, name) for path, name in zip(paths, _names(paths), strict=True)]


def read_run(folder: str | Path, name: str = "") -> Run:
    """Return what a run's folder holds.

    Args:
        folder: with `run.json`, and whatever training and evaluation have written so far.
        name: the run's name; empty takes the folder's.

    Raises:
        InputError: if `run.json` is missing, or a file is not what its name promises.
    """
    folder = Path(folder)
    path = folder / "run.json"
    if not path.is_file():
        raise InputError(f"expected a run's folder with run.json, got {folder}, which has none")
    content = read_object(path)
    bundle = content.get("bundle")
    if bundle not in (PRETRAIN, SEGMENT):
        raise InputError(f"{path} must give {PRETRAIN!r} or {SEGMENT!r} as 'bundle', got {bundle!r}")
    for key in ("settings", "versions"):
        if not isinstance(content.get(key, {}), Mapping):
            raise InputError(f"{path} must give {key!r} as an object, got {type(content[key]).__name__}")
    scores = read_scores(folder / "scores.json")
    drawn = FOREGROUND_OVERLAYS if scores is not None and scores.of_mitochondria else OVERLAYS
    history = _history(folder / "history.csv")
    evaluated = _masked_loss(folder / "evaluation.json") if bundle == PRETRAIN else None
    planes = [f"{name}_{plane}" for plane in PLANES for name in drawn]
    return Run(
        name=name or folder.name,
        bundle=bundle,
        settings=content.get("settings", {}),
        parameters=int(read_number(content, "parameters", path)) if "parameters" in content else None,
        versions=content.get("versions", {}),
        commands=_commands(content, path),
        history=history,
        masked_loss=evaluated or _validated_loss(history, content.get("settings", {})),
        reconstructions=read_arrays(folder / "reconstructions.npz", RECONSTRUCTIONS),
        scores=scores,
        overlays=read_arrays(folder / "overlays.npz", (*planes, "voxel_size_nm")),
    )


def _names(paths: Sequence[Path]) -> list[str]:
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return names


def _commands(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """Take "command" or "commands", each a line or a list of its words."""
    commands = content.get("commands", [content["command"]] if "command" in content else [])
    if not isinstance(commands, list) or not all(isinstance(command, (str, list)) for command in commands):
        raise InputError(f"{path} must give 'commands' as lines of text, got {commands!r}")
    return tuple(line if isinstance(line, str) else shlex.join(str(word) for word in line) for line in commands)


def _history(path: Path) -> tuple[Row, ...]:
    try:
        return tuple(read_history(path))
    except (ValueError, IndexError) as error:
        raise InputError(f"{path} must have rows of iteration, seconds, name, value, got: {error}") from None


def _masked_loss(path: Path) -> MaskedLoss | None:
    if not path.is_file():
        return None
    content = read_object(path)
    return MaskedLoss(
        masked_loss=read_number(content, "masked_loss", path),
        masked_loss_of_mean=read_number(content, "masked_loss_of_mean", path),
        mask_ratio=read_number(content, "mask_ratio", path),
        crops=int(read_number(content, "crops", path)),
    )


def _validated_loss(history: Sequence[Row], settings: Mapping[str, Any]) -> MaskedLoss | None:
    """Return what the last validation of a whole network's pre-training found, None of other runs."""
    last = {name: value for _, _, name, value in history}
    if "val_loss_of_mean" not in last:
        return None
    return MaskedLoss(last["val_loss"], last["val_loss_of_mean"], settings["mask_ratio"], None)
