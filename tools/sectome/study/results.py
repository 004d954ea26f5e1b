"""The numbers of a study, read from the run folders: a row for each arm and seed."""

from __future__ import annotations

import ast
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sectome.checks import is_number
from sectome.json_object import read_object
from sectome.replace import replacing
from sectome.report.scores import CONTROLS
from sectome.study.declaration import Study
from sectome.study.plan import arm_folder, pretraining_folder
from sectome.training.history import read_history

Row = dict[str, Any]

PRETRAINING_MEASURES: Final = ("masked_loss", "masked_loss_of_mean", "pretraining_seconds")
"""Measures of a pre-training; one shared by all seeds counts as a single number."""

IDENTITY: Final = ("arm", "value", "seed")


def read_results(study: Study, folder: Path, done: Sequence[Path]) -> list[Row]:
    """Return a row for each arm and seed with finished runs; a row lacks the numbers that its runs lack.

    Args:
        study: the declaration.
        folder: folder of the study.
        done: folders of finished runs.
    """
    rows = []
    for arm in study.arms:
        for seed in study.seeds:
            own, first = arm_folder(folder, arm, seed), pretraining_folder(folder, arm, seed)
            if arm.recipe is None and arm.pretraining_is_shared and seed != study.seeds[0]:
                continue
            if (own if arm.recipe else first) in done:
                row: Row = {"arm": arm.name, "value": arm.value, "seed": seed}
                row |= training_numbers(own) if arm.recipe else {}
                row |= pretraining_numbers(first)
                row |= score_numbers(own / "scores.json") if arm.recipe else {}
                rows.append({key: number for key, number in row.items() if number is not None})
    return rows


def training_numbers(folder: Path) -> Row:
    """Return a run's number of optimizer steps, training seconds, parameters and last validation losses."""
    history = read_history(folder / "history.csv")
    record = read_object(folder / "run.json")
    # The history counts batches, not steps.
    batches_of_a_step = record.get("settings", {}).get("accumulation_steps", 1)
    last = {name: value for _, _, name, value in history}
    return {
        "steps": max((row[0] for row in history), default=0) // batches_of_a_step or None,
        "training_seconds": max((row[1] for row in history), default=None),
        "parameters": record.get("parameters"),
        "val_loss": last.get("val_loss"),
        "val_loss_of_mean": last.get("val_loss_of_mean"),
    }


def pretraining_numbers(folder: Path | None) -> Row:
    """Return a pre-training's seconds and masked loss (evaluated, or last validated); 0 seconds without one."""
    if folder is None:
        return {"pretraining_seconds": 0.0}
    trained = training_numbers(folder)
    evaluation = read_object(folder / "evaluation.json")
    return {
        "pretraining_seconds": trained["training_seconds"],
        "masked_loss": evaluation.get("masked_loss", trained["val_loss"]),
        "masked_loss_of_mean": evaluation.get("masked_loss_of_mean", trained["val_loss_of_mean"]),
    }


def score_numbers(path: Path) -> Row:
    """Return the numbers in `scores.json`: plain names for the first method, "METHOD: NAME" for the others.

    The boundary average precision is the mean over all offsets ("boundary_ap"), and over offsets of one length in
    voxels along any axis ("boundary_ap_3"). Mitochondria have one per map ("average_precision_contour").
    """
    content = read_object(path)
    row: Row = {}
    main = next((method for method in content.get("scores", {}) if method not in CONTROLS), None)
    for method, numbers in content.get("scores", {}).items():
        found = {name: number for name, number in numbers.items() if is_number(number)}
        if {"voi_split", "voi_merge"} <= set(found):
            found["voi"] = found["voi_split"] + found["voi_merge"]
        row |= {name if method == main else f"{method}: {name}": number for name, number in found.items()}
    row |= {f"average_precision_{name}": number for name, number in content.get("average_precision", {}).items()}
    boundaries = content.get("boundary_average_precision", {})
    precision = {ast.literal_eval(offset): number for offset, number in boundaries.items()}
    lengths: dict[int, list[float]] = {}
    for offset, number in precision.items():
        lengths.setdefault(max(abs(step) for step in offset), []).append(number)
    if precision:
        row["boundary_ap"] = sum(precision.values()) / len(precision)
    row |= {f"boundary_ap_{length}": sum(lengths[length]) / len(lengths[length]) for length in sorted(lengths)}
    return row


def columns(rows: Sequence[Row]) -> list[str]:
    """Return the names of all numbers; those of methods other than the first, such as the controls, come last."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [*IDENTITY, *sorted((name for name in names if name not in IDENTITY), key=lambda name: ": " in name)]


def write_rows(path: Path, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as a CSV file with a header, atomically; values that a row lacks stay empty."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
