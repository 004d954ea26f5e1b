"""The scores of an arm for neurons or mitochondria, as the evaluation writes them to `scores.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, TypeAlias

from sectome.checks import InputError
from sectome.json_object import read_object
from sectome.report.run_files import read_number

NEURONS: Final = {"are": "ARE", "voi_split": "VOI split", "voi_merge": "VOI merge", "voi_sum": "VOI sum"}
"""Measures of neurons and their names in the report: adapted Rand error (0 to 1) and variation of information in bits;
lower is better for all."""

MITOCHONDRIA: Final = {
    "foreground_iou": "foreground IoU",
    "average_precision_50": "AP-50",
    "average_precision_75": "AP-75",
    "average_precision_75_mitoem": "AP-75 (MitoEM)",
}
"""Measures of mitochondria and their names in the report; higher is better for all."""

CONTROLS: Final = ("connected components", "one segment", "true affinities", "all background", "true maps")
"""Methods that put predictions into perspective and do not compete with them."""

Score: TypeAlias = Mapping[str, float]
"""The measures of one segmentation by name, with its number of "segments" or its "threshold"."""


@dataclass(frozen=True)
class Scores:
    """The content of `scores.json`.

    Attributes:
        of_mitochondria: whether the scores are of mitochondria.
        threshold: chosen threshold; None for mitochondria, which have several.
        validation: names of the volumes on which thresholds were chosen.
        test: names of the volumes that are scored.
        sweep: scores on the validation volumes, by rising threshold.
        methods: scores on the test volumes, by method.
        voxel_precision: voxel-wise average precision of boundaries by offset, or of maps by name.
    """

    of_mitochondria: bool
    threshold: float | None
    validation: tuple[str, ...]
    test: tuple[str, ...]
    sweep: tuple[Score, ...]
    methods: Mapping[str, Score]
    voxel_precision: Mapping[str, float]

    @property
    def predictions(self) -> dict[str, Score]:
        """Return the methods without the controls, the main one first."""
        return {name: score for name, score in self.methods.items() if name not in CONTROLS}


def read_scores(path: Path) -> Scores | None:
    """Return the scores in a file, or None if there is no file or it is for other targets.

    Raises:
        InputError: if a number is missing, or a value has another type.
    """
    content = read_object(path)
    targets = content.get("targets", "affinities")
    if not path.is_file() or targets not in ("affinities", "boundary_contour"):
        return None
    of_mitochondria = targets == "boundary_contour"
    measures = MITOCHONDRIA if of_mitochondria else NEURONS
    threshold = None if of_mitochondria else read_number(content, "threshold", path)
    sweep = content.get("sweep", [])
    if not isinstance(sweep, list):
        raise InputError(f"{path} must give 'sweep' as a list, got {type(sweep).__name__}")
    methods = _section(content, "scores", path)
    precision = _section(content, "average_precision" if of_mitochondria else "boundary_average_precision", path)
    return Scores(
        of_mitochondria=of_mitochondria,
        threshold=threshold,
        validation=_names(content, "validation", path),
        test=_names(content, "test", path),
        sweep=tuple(
            sorted((_score(point, measures, "threshold", path) for point in sweep), key=itemgetter("threshold"))
        ),
        methods={name: _score(row, measures, "segments", path) for name, row in methods.items()},
        voxel_precision={name: read_number(precision, name, path) for name in precision},
    )


def _section(content: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    """Return the JSON object under `key`, empty if it is missing, or raise an `InputError`."""
    section = content.get(key, {})
    if not isinstance(section, Mapping):
        raise InputError(f"{path} must give {key!r} as an object, got {type(section).__name__}")
    return section


def _names(content: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    """Return the list of names under `key`, empty if it is missing, or raise an `InputError`."""
    names = content.get(key, [])
    if not isinstance(names, list):
        raise InputError(f"{path} must give {key!r} as a list of names, got {names!r}")
    return tuple(str(name) for name in names)


def _score(content: Mapping[str, Any], measures: Mapping[str, str], extra: str, path: Path) -> Score:
    score = {name: read_number(content, name, path) for name in (*measures, extra) if name != "voi_sum"}
    return {**score, "voi_sum": score["voi_split"] + score["voi_merge"]} if "voi_sum" in measures else score
