"""The scores of an arm, as `evaluate` of the segmentation bundle writes them to `scores.json`.

ARE is the adapted Rand error (0 to 1), VOI the variation of information in bits. Lower is better for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sectome.checks import InputError
from sectome.json_object import read_object
from sectome.report.run_files import read_number

MEASURES: Final = {"are": "ARE", "voi_split": "VOI split", "voi_merge": "VOI merge", "voi_sum": "VOI sum"}
"""Attributes of `Score` that are compared, and how a reader calls them."""

CONTROLS: Final = ("connected components", "one segment", "true affinities")
"""Methods that frame a prediction and do not compete with it."""


@dataclass(frozen=True)
class Score:
    """How far one segmentation is from the truth."""

    are: float
    voi_split: float
    voi_merge: float
    segments: int | None = None
    threshold: float | None = None

    @property
    def voi_sum(self) -> float:
        """Split and merge together."""
        return self.voi_split + self.voi_merge


@dataclass(frozen=True)
class Scores:
    """What `scores.json` holds; `sweep` is of the validation volumes, `methods` of the test volumes."""

    threshold: float
    validation: tuple[str, ...]
    test: tuple[str, ...]
    sweep: tuple[Score, ...]
    methods: Mapping[str, Score]
    boundary_average_precision: Mapping[str, float]

    @property
    def predictions(self) -> dict[str, Score]:
        """Return the methods without the controls, the main one first."""
        return {name: score for name, score in self.methods.items() if name not in CONTROLS}


def read_scores(path: Path) -> Scores | None:
    """Return the scores in a file, None if there is no file, or it is of other targets than affinities.

    Raises:
        InputError: if a number is missing; names it.
    """
    content = read_object(path)
    if not path.is_file() or content.get("targets", "affinities") != "affinities":
        return None
    sweep = content.get("sweep", [])
    if not isinstance(sweep, list):
        raise InputError(f"{path} must give 'sweep' as a list, got {type(sweep).__name__}")
    precision = read_section(content, "boundary_average_precision", path)
    return Scores(
        threshold=read_number(content, "threshold", path),
        validation=read_names(content, "validation", path),
        test=read_names(content, "test", path),
        sweep=tuple(
            sorted((_score(point, path, "threshold") for point in sweep), key=lambda point: point.threshold or 0.0)
        ),
        methods={
            name: _score(value, path, "segments") for name, value in read_section(content, "scores", path).items()
        },
        boundary_average_precision={offset: read_number(precision, offset, path) for offset in precision},
    )


def read_section(content: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    """Return an object of the file's content, empty if it is not there, or raise an `InputError`."""
    section = content.get(key, {})
    if not isinstance(section, Mapping):
        raise InputError(f"{path} must give {key!r} as an object, got {type(section).__name__}")
    return section


def read_names(content: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    """Return a list of names of the file's content, empty if it is not there, or raise an `InputError`."""
    names = content.get(key, [])
    if not isinstance(names, list):
        raise InputError(f"{path} must give {key!r} as a list of names, got {names!r}")
    return tuple(str(name) for name in names)


def _score(content: Mapping[str, Any], path: Path, extra: str) -> Score:
    are, split, merge, value = (read_number(content, key, path) for key in ("are", "voi_split", "voi_merge", extra))
    if extra == "segments":
        return Score(are, split, merge, segments=int(value))
    return Score(are, split, merge, threshold=value)
