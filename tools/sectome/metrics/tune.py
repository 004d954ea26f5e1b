"""Tuning of segmentation options on labelled tissue."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from sectome.checks import InputError, check_choice
from sectome.metrics.contingency import check_labels, contingency_table, nothing_to_score
from sectome.metrics.sweep import ScoreRow, score_row, scores_by_threshold
from sectome.neighbourhoods import NEAREST, check_offsets
from sectome.postprocess import SegmentationOptions, affinities_to_history, affinities_to_labels
from sectome.types import Array, LabelArray, Offsets, Shape3, VoxelSize

THRESHOLDS = tuple(np.round(np.arange(0.02, 1.0, 0.02), 2).tolist())
BOUNDARY_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BIASES = (-0.2, -0.1, 0.0, 0.1, 0.2)
STRIDES: tuple[Shape3, ...] = ((1, 3, 3), (3, 3, 3))
CRITERIA = ("voi", "are")


class LabelledAffinities(NamedTuple):
    """Affinities (K, Z, Y, X), ground truth (Z, Y, X) with 0 ignored, and voxel size (z, y, x) in nm."""

    affinities: Array
    truth: LabelArray
    voxel_size_nm: VoxelSize


class Trial(NamedTuple):
    """One setting, and its mean scores over volumes."""

    options: SegmentationOptions
    scores: ScoreRow


@dataclass(frozen=True)
class Tuned:
    """The best trial, and all trials in order."""

    best: Trial
    trials: list[Trial]

    def along_threshold(self) -> list[Trial]:
        """Return the trials that equal the best in all options but the threshold."""
        best = self.best.options
        return [trial for trial in self.trials if trial.options.but(threshold=best.threshold) == best]

    def evidence(self) -> dict[str, Any]:
        """Return the best scores and those of all trials as plain values for JSON, with the options that vary."""
        settings = [asdict(trial.options) for trial in self.trials]
        varied = [name for name in settings[0] if len({str(setting[name]) for setting in settings}) > 1]
        return {
            "scores": {**self.best.scores._asdict(), "voi": self.best.scores.voi},
            "curve": [
                {
                    **{name: setting[name] for name in varied},
                    **trial.scores._asdict(),
                    "threshold": trial.options.threshold,
                }
                for setting, trial in zip(settings, self.trials, strict=True)
            ],
        }


def tune(
    volumes: Sequence[LabelledAffinities],
    offsets: Offsets,
    *,
    methods: Sequence[str] = ("mean", "mutex"),
    criterion: str = "voi",
    threads: int | None = None,
    **options: Any,
) -> Tuned:
    """Return the setting with the smallest error on labelled tissue.

    Methods that score pairs are swept over thresholds, with one agglomeration per volume, boundary threshold and use of
    long-range offsets. The mutex watershed is swept over bias and strides, if there are offsets beyond the nearest.

    Args:
        volumes: at least one labelled volume.
        offsets: offsets of all volumes.
        methods: methods to try, see `SegmentationOptions`.
        criterion: "voi" or "are"; the adapted Rand error barely discriminates where one body fills much of the tissue.
        threads: number of threads; `None` uses all cores.
        options: options of `SegmentationOptions` to keep fixed.

    Raises:
        InputError: if there is no volume or no suitable method, a ground truth holds no object or no integers, or an
            argument does not fit the others.
    """
    check_choice(criterion, CRITERIA, "criterion")
    for name in ("small_voxels", "min_size_voxels"):
        if options.get(name):
            raise InputError(
                f"{name} must be left out when tuning, which chooses before it acts, got {options[name]}: give it to "
                "the segmentation"
            )
    if not volumes:
        raise InputError("expected at least one volume with labels to tune on, got none")
    for one in volumes:
        # Fail before the long computation.
        if not check_labels(one.truth, "truth").any():
            raise nothing_to_score(0)
    steps = check_offsets(offsets)
    fixed = SegmentationOptions().but(**options)
    tried = [method for method in methods if method != "mutex" or len(steps) > len(NEAREST)]
    if not tried:
        raise InputError(
            f"methods must hold one that the {len(steps)} offsets allow, got {', '.join(methods) or 'none'}"
        )
    trials: list[Trial] = []
    for method in tried:
        settings = _mutex_trials if method == "mutex" else _threshold_trials
        trials.extend(settings(volumes, steps, fixed.but(method=method), options, threads))
    return Tuned(min(trials, key=lambda trial: getattr(trial.scores, criterion)), trials)


def _threshold_trials(
    volumes: Sequence[LabelledAffinities],
    offsets: Offsets,
    fixed: SegmentationOptions,
    given: dict[str, Any],
    threads: int | None,
) -> Iterator[Trial]:
    """Yield a trial for each boundary threshold, use of long-range offsets and threshold; given options stay fixed."""
    # Watershed fragments follow the affinities themselves, without a boundary threshold.
    swept = fixed.fragments == "distance" and given.get("boundary_threshold") is None
    boundaries = BOUNDARY_THRESHOLDS if swept else (fixed.boundary_threshold,)
    thresholds = THRESHOLDS if given.get("threshold") is None else (fixed.threshold,)
    uses = (
        ("no", "touching") if given.get("long_range") is None and len(offsets) > len(NEAREST) else (fixed.long_range,)
    )
    for boundary_threshold in boundaries:
        pieces: list[LabelArray | None] = [None] * len(volumes)
        for long_range in uses:
            options = fixed.but(boundary_threshold=boundary_threshold, long_range=long_range)
            tables = []
            for index, one in enumerate(volumes):
                pieces[index], history = affinities_to_history(
                    one.affinities,
                    offsets,
                    voxel_size_nm=one.voxel_size_nm,
                    threads=threads,
                    pieces=pieces[index],
                    **asdict(options),
                )
                tables.append(scores_by_threshold(one.truth, pieces[index], history, thresholds))
            for threshold, rows in zip(thresholds, zip(*tables, strict=True), strict=True):
                _, are, split, merge = np.mean(rows, axis=0).tolist()
                yield Trial(options.but(threshold=threshold), ScoreRow(threshold, are, split, merge))


def _mutex_trials(
    volumes: Sequence[LabelledAffinities],
    offsets: Offsets,
    fixed: SegmentationOptions,
    given: dict[str, Any],
    threads: int | None,
) -> Iterator[Trial]:
    """Yield a trial for each combination of bias and strides; given options stay fixed."""
    biases = BIASES if given.get("bias") is None else (fixed.bias,)
    for bias, strides in itertools.product(biases, STRIDES if given.get("strides") is None else (fixed.strides,)):
        options = fixed.but(bias=bias, strides=strides)
        scores = []
        for one in volumes:
            labels = affinities_to_labels(one.affinities, offsets, threads=threads, **asdict(options))
            scores.append(score_row(options.threshold, contingency_table(one.truth, labels).counts))
        _, are, split, merge = np.mean(scores, axis=0).tolist()
        yield Trial(options, ScoreRow(options.threshold, are, split, merge))
