"""Reader of run folders: settings, training history and evaluation results."""

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
"""Arrays in `overlays.npz`, each for both planes."""

FOREGROUND_OVERLAYS: Final = ("raw", "foreground", "segmentation", "truth")
"""Arrays in `overlays.npz` of a run that finds mitochondria."""

RECONSTRUCTIONS: Final = ("image", "masked", "reconstructed", "hidden", "voxel_size_nm")
"""Arrays in `reconstructions.npz`."""

PLANES: Final = ("xy", "xz")


@dataclass(frozen=True)
class MaskedLoss:
    """The loss on hidden patches, and that of predicting the mean; `crops` is None for the last validation."""

    masked_loss: float
    masked_loss_of_mean: float
    mask_ratio: float
    crops: int | None


@dataclass(frozen=True)
class Run:
    """One run; what is missing in its folder is empty or None."""

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
        """Whether training started from all weights of an earlier training, pre-trained or not."""
        return bool(self.settings.get("weights"))

    @property
    def pretrains(self) -> bool:
        """Whether the run predicts hidden patches, as all runs of mae_pretrain and some of em_segmentation do."""
        return self.bundle == PRETRAIN or "mask_ratio" in self.settings

    @property
    def finds_mitochondria(self) -> bool:
        """Whether its scores are of mitochondria; false before it is evaluated."""
        return self.scores is not None and self.scores.of_mitochondria

    @property
    def start(self) -> str:
        """The origin of the network's initial weights, in words."""
        if self.goes_on:
            return "from a whole model"
        return "pre-trained" if self.pretrained else "from scratch"

    @property
    def iterations(self) -> int:
        """Last iteration in the history."""
        return max((row[0] for row in self.history), default=0)

    @property
    def seconds(self) -> float:
        """Duration of training in seconds."""
        return max((row[1] for row in self.history), default=0.0)

    def series(self, name: str) -> list[tuple[int, float]]:
        """Return (iteration, value) for each row of the history with this name."""
        return [(iteration, value) for iteration, _, row, value in self.history if row == name]


def read_runs(folders: Sequence[str | Path]) -> list[Run]:
    """Return the runs of some folders, with unique names.

    A run is named after its folder. If two folders have the same name, parent folders are added to all names.

    Raises:
        InputError: if there is no folder, one is given twice, or one is not a run folder.
    """
    if isinstance(folders, (str, Path)):
        folders = [folders]
    paths = [Path(folder).resolve() for folder in folders]
    if not paths:
        raise InputError("expected at least one run folder, got none")
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"each run folder must be given once, got {path} twice")
    return [read_run(path, name) for path, name in zip(paths, _names(paths), strict=True)]


def read_run(folder: str | Path, name: str = "") -> Run:
    """Return the run in a folder.

    Args:
        folder: run folder with `run.json`, and whatever training and evaluation have written so far.
        name: name of the run; empty uses the folder's name.

    Raises:
        InputError: if `run.json` is missing, or a file has invalid content.
    """
    folder = Path(folder)
    path = folder / "run.json"
    if not path.is_file():
        raise InputError(f"expected a run folder with run.json, got {folder}, which has none")
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
    """Return the lines of "command" or "commands", where each is a line or a list of words."""
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
    """Return the loss in the last validation of a whole network's pre-training, None for other runs."""
    last = {name: value for _, _, name, value in history}
    if "val_loss_of_mean" not in last:
        return None
    return MaskedLoss(last["val_loss"], last["val_loss_of_mean"], settings["mask_ratio"], None)
