"""The scores of an arm that finds mitochondria, as `evaluate` writes them to `scores.json` for boundary and contour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sectome.json_object import read_object
from sectome.report.run_files import read_number
from sectome.report.scores import read_names, read_section

TARGETS: Final = "boundary_contour"

MEASURES: Final = {
    "foreground_iou": "foreground IoU",
    "average_precision_50": "AP-50",
    "average_precision_75": "AP-75",
    "average_precision_75_mitoem": "AP-75 (MitoEM)",
}
"""Numbers of a row that are compared, and how a reader calls them; higher is better for all."""

CONTROLS: Final = ("connected components", "all background", "true maps")
"""Methods that frame a prediction and do not compete with it."""


@dataclass(frozen=True)
class MitochondriaScores:
    """What `scores.json` holds; `methods` are of the test volumes, `voxel_precision` of foreground and contour."""

    validation: tuple[str, ...]
    test: tuple[str, ...]
    methods: Mapping[str, Mapping[str, float]]
    voxel_precision: Mapping[str, float]

    @property
    def predictions(self) -> dict[str, Mapping[str, float]]:
        """Return the methods without the controls, the main one first."""
        return {name: row for name, row in self.methods.items() if name not in CONTROLS}


def read_mitochondria_scores(path: Path) -> MitochondriaScores | None:
    """Return the scores in a file, None if there is no file, or it is of other targets.

    Raises:
        InputError: if a number is missing; names it.
    """
    content = read_object(path)
    if content.get("targets") != TARGETS:
        return None
    precision = read_section(content, "average_precision", path)
    return MitochondriaScores(
        validation=read_names(content, "validation", path),
        test=read_names(content, "test", path),
        methods={
            name: {measure: read_number(row, measure, path) for measure in (*MEASURES, "segments")}
            for name, row in read_section(content, "scores", path).items()
        },
        voxel_precision={name: read_number(precision, name, path) for name in precision},
    )
