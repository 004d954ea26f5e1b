"""`sectome evaluate`: scores of a segmentation, and the places of its mistakes."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError, check_file_to_write


def evaluate(
    truth: str,
    segmentation: str,
    background: bool = False,
    objects: str | None = None,
    mistakes: str | None = None,
    run_length: bool = False,
) -> None:
    """Print scores of a segmentation as JSON, and list its mistakes on request.

    Args:
        truth: ground truth labels; -1 and ids from 2**63 on mark voxels where nothing is known.
        segmentation: label volume to score; of a larger one, the part at the truth's offset.
        background: count 0 in the truth as background without objects, as for mitochondria; without this option, 0
            means not labelled and is ignored.
        objects: CSV file to write, with a row for each object: its pieces, recall, precision and IoU.
        mistakes: CSV file to write, with a row for each split, merge and loss: objects, segments, voxels and position.
        run_length: add the expected run length in nm along skeletons of the truth; takes a while.
    """
    from sectome.metrics import (
        contingency_table,
        expected_run_length_of,
        known_voxels,
        label_scores,
        object_scores_of,
        skeletons,
    )
    from sectome.metrics import mistakes as find_mistakes
    from sectome.volumes import open_volume
    from sectome.volumes.other_place import box_within
    from sectome.volumes.sampling import warn_of_grey_values

    first, second = open_volume(truth), open_volume(segmentation)
    taken = {os.path.realpath(volume.path) for volume in (first, second)}
    for name, path in (("objects", objects), ("mistakes", mistakes)):
        if path is None:
            continue
        if path.isdecimal() or path.lower() in ("true", "false"):
            raise InputError(f"--{name} must name a CSV file to write, got {path}")
        check_file_to_write(path)
        if (place := os.path.realpath(path)) in taken:
            raise InputError(f"--{name} must be a file of its own, got {path}, which this command also reads or writes")
        taken.add(place)
    part = box_within(second, first, "truth") or ...
    # Before anything is written, because the truth may lack a voxel size.
    size_nm = _size_nm(first) if mistakes or run_length else (1.0, 1.0, 1.0)
    a, b = np.asarray(first), np.asarray(second[part])
    known = known_voxels(a)
    if not known.all():
        a, b = np.where(known, a, 0), np.where(known, b, 0)
    warn_of_grey_values(a, first.name)
    scores: dict[str, Any] = dict(label_scores(a, b, background=background))
    if run_length:
        lines = skeletons(a, size_nm)
        scores["expected_run_length_nm"] = expected_run_length_of(lines, b)
        scores["greatest_run_length_nm"] = lines.greatest_run_length_nm
    if objects:
        table = contingency_table(a, b, ignore_label=None if background else 0)
        _write_rows(objects, [row._asdict() for row in object_scores_of(table)])
    if mistakes:
        _write_rows(
            mistakes, [{**row._asdict(), **_place_nm(row, size_nm, first.offset_nm)} for row in find_mistakes(a, b)]
        )
    print(json.dumps(scores, indent=2, default=float))


def _size_nm(volume: Any) -> tuple[float, float, float]:
    """Return the voxel size of the truth, or raise an `InputError` if it has none."""
    if volume.voxel_size_nm is None:
        raise InputError("expected a truth with a voxel size, got one without: sectome convert can add it")
    return tuple(volume.voxel_size_nm)


def _place_nm(place: Any, voxel_size_nm: Sequence[float], offset_nm: Sequence[float]) -> dict[str, float]:
    """Return the position of a voxel in nm, with its volume's offset."""
    return {
        f"{axis}_nm": first + getattr(place, axis) * edge
        for axis, first, edge in zip("zyx", offset_nm, voxel_size_nm, strict=True)
    }


def _write_rows(path: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as a CSV file with a header; several ids in a cell are separated by spaces."""
    from sectome.replace import replacing

    with replacing(Path(path)) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["nothing found"])
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {name: " ".join(map(str, cell)) if isinstance(cell, tuple) else cell for name, cell in row.items()}
            )
