"""Scores of mitochondria from predicted foreground and contours: tuned on validation tissue, scored on test tissue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from scripts.boundary_contour_loss import CHANNELS
from scripts.predicted_volumes import Predicted, PredictedVolumes, mean_row
from sectome.checks import InputError
from sectome.metrics import average_precision, average_precision_by_confidence, boundary_average_precision
from sectome.postprocess import BoundaryContourOptions, boundary_contour_to_labels, save_options, tuned_path
from sectome.tissue import Tissue
from sectome.transforms import boundary_contour
from sectome.types import Array, LabelArray, VoxelSize

FOREGROUNDS = (0.3, 0.5, 0.7, 0.85)
SEED_FOREGROUNDS = (0.5, 0.7, 0.9, 0.98)
SEED_CONTOURS = (0.3, 0.5, 0.8)
COMPONENT_THRESHOLDS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())

MITOEM_VOXEL_NM3 = 30 * 8 * 8
"""Voxel volume in nm^3 for which the default sizes of `BoundaryContourOptions` are meant."""


def foreground_iou(labels: LabelArray, mask: Array) -> float:
    """Return the IoU (Jaccard index) of all objects and a mask, where labels are known; 1 if both are empty."""
    truth, found = labels > 0, mask & (labels >= 0)
    either = np.count_nonzero(truth | found)
    return np.count_nonzero(truth & found) / either if either else 1.0


def score(labels: LabelArray, segmentation: LabelArray) -> dict[str, float]:
    """Return "foreground_iou", the average precisions of instances, and the number of "segments".

    Args:
        labels: (Z, Y, X) ground truth; 0 is background, negative voxels are unknown and do not count.
        segmentation: (Z, Y, X) labels; 0 is background.
    """
    truth, found = np.maximum(labels, 0), np.where(labels >= 0, segmentation, 0)
    return {
        "foreground_iou": foreground_iou(labels, segmentation > 0),
        "average_precision_50": average_precision(truth, found, 0.5, ignore_label=None),
        "average_precision_75": average_precision(truth, found, 0.75, ignore_label=None),
        "average_precision_75_mitoem": average_precision_by_confidence(truth, found),
        "segments": len(np.unique(found[found > 0])),
    }


def quality(row: Mapping[str, float]) -> float:
    """Return the criterion for thresholds: the mean of AP-50, AP-75 and foreground IoU.

    With few objects, average precision is coarse, and the foreground breaks its ties.
    """
    return (row["average_precision_50"] + row["average_precision_75"] + row["foreground_iou"]) / 3


def settings(voxel_size_nm: VoxelSize) -> Iterator[BoundaryContourOptions]:
    """Yield the options to try, with the default sizes converted to voxels of this size."""
    scale = MITOEM_VOXEL_NM3 / float(np.prod(voxel_size_nm))
    default = BoundaryContourOptions()
    for foreground, seed_foreground, seed_contour in product(FOREGROUNDS, SEED_FOREGROUNDS, SEED_CONTOURS):
        if seed_foreground >= foreground:
            yield default.but(
                foreground=foreground,
                seed_foreground=seed_foreground,
                seed_contour=seed_contour,
                min_seed_voxels=round(scale * default.min_seed_voxels),
                min_size_voxels=round(scale * default.min_size_voxels),
            )


class MitochondriaScores(PredictedVolumes):
    """Find mitochondria in each predicted volume, choose thresholds on validation tissue, and score test tissue.

    The watershed is compared with three controls: connected components of the thresholded foreground (naive; its
    foreground IoU is that of the mask alone), no objects, and the true maps through the same pipeline. Writes
    `scores.json`, `overlays.npz` and `overlay.png` to the run folder, and the best options beside the model, where
    inference finds them.

    Args:
        output_dir: run folder.
        tissue: predicted volumes, in order.
        validation: number of leading volumes, on which thresholds are chosen.
        test: number of trailing volumes, which are scored; a volume may be used for both.
        checkpoint: path of the model that made the predictions.
        width_voxels: width of contours, as in training.
        in_plane: whether contours were drawn within sections only, as in training.
    """

    def __init__(
        self,
        output_dir: str,
        tissue: Sequence[Tissue],
        validation: int,
        test: int,
        checkpoint: str,
        width_voxels: int = 1,
        in_plane: bool = True,
    ) -> None:
        super().__init__(output_dir, tissue, validation, test, checkpoint, (len(CHANNELS), " and ".join(CHANNELS)))
        self.width_voxels = width_voxels
        self.in_plane = in_plane

    def write(self, validation: Sequence[Predicted], test: Sequence[Predicted]) -> None:
        """Choose thresholds, score, write files and print the table.

        Raises:
            InputError: if a volume has no object to find.
        """
        for one in (*validation, *test):
            if not (one.labels > 0).any():
                raise InputError(f"expected at least one object in each volume to score, got none in {one.tissue.name}")
        trials = self.trials(validation)
        options, _ = max(trials, key=lambda trial: quality(trial[1]))
        threshold = self.choose_threshold(validation)
        segmentations = [self.segment(one, options) for one in test]
        rows: dict[str, list[dict[str, float]]] = {
            "watershed": [score(one.labels, found) for one, found in zip(test, segmentations, strict=True)],
            "connected components": [score(one.labels, ndimage.label(one.maps[0] >= threshold)[0]) for one in test],
            "all background": [score(one.labels, np.zeros_like(one.truth)) for one in test],
            "true maps": [score(one.labels, self.segment(self.perfect(one), options)) for one in test],
        }
        scores = {name: mean_row(row) for name, row in rows.items()}
        result = {
            "targets": options.targets,
            "options": asdict(options),
            "component_threshold": threshold,
            **self.names,
            "scores": scores,
            "average_precision": self.voxel_precision(test),
        }
        self.write_scores(result)
        curve = [
            {name: getattr(tried, name) for name in ("foreground", "seed_foreground", "seed_contour")} | row
            for tried, row in trials
        ]
        save_options(tuned_path(self.checkpoint), options, {"validation": self.names["validation"], "curve": curve})
        self.draw(test[0], segmentations[0], CHANNELS[0], test[0].maps[0])
        self.print_table(options, scores, result["average_precision"])

    def trials(self, volumes: Sequence[Predicted]) -> list[tuple[BoundaryContourOptions, dict[str, float]]]:
        """Return all settings with their mean scores over volumes."""
        return [
            (options, mean_row([score(one.labels, self.segment(one, options)) for one in volumes]))
            for options in settings(volumes[0].tissue.voxel_size_nm)
        ]

    def choose_threshold(self, volumes: Sequence[Predicted]) -> float:
        """Return the foreground threshold with the greatest mean IoU over volumes."""

        def iou(threshold: float) -> float:
            return float(np.mean([foreground_iou(one.labels, one.maps[0] >= threshold) for one in volumes]))

        return max(COMPONENT_THRESHOLDS, key=iou)

    def segment(self, one: Predicted, options: BoundaryContourOptions) -> LabelArray:
        """Return the mitochondria of a volume."""
        return boundary_contour_to_labels(one.maps, **asdict(options))

    def targets(self, one: Predicted) -> tuple[Array, Array]:
        """Return foreground and contour of the labels, computed as in training, and a mask of known voxels."""
        labels = torch.from_numpy(np.maximum(one.labels, -1))
        targets, valid = boundary_contour(labels, self.width_voxels, self.in_plane)
        return targets.numpy(), valid.numpy()

    def perfect(self, one: Predicted) -> Predicted:
        """Return a volume with the ground truth's maps, for which thresholds do not matter."""
        return Predicted(one.tissue, one.labels, self.targets(one)[0].astype(np.float32))

    def voxel_precision(self, test: Sequence[Predicted]) -> dict[str, float]:
        """Return the voxel-wise average precision of foreground and contour, averaged over volumes."""
        rows = []
        for one in test:
            targets, valid = self.targets(one)
            # The function treats 0 as the positive class, predicted by low values.
            rows.append(
                {
                    name: boundary_average_precision(1 - targets[channel], -one.maps[channel], valid[channel])
                    for channel, name in enumerate(CHANNELS)
                }
            )
        return mean_row(rows)

    def print_table(
        self, options: BoundaryContourOptions, scores: Mapping[str, Mapping[str, float]], precision: Mapping[str, Any]
    ) -> None:
        """Print the scores."""
        print(
            f"wrote scores to {self.output_dir} and the options that were best on validation tissue to "
            f"{tuned_path(self.checkpoint)}: foreground {options.foreground:g}, seed_foreground "
            f"{options.seed_foreground:g}, seed_contour {options.seed_contour:g}"
        )
        print(f"{'':24}{'IoU':>8}{'AP-50':>8}{'AP-75':>8}{'MitoEM AP-75':>14}{'segments':>10}")
        for name, row in scores.items():
            iou, half, most, mitoem, segments = row.values()
            print(f"{name:24}{iou:8.4f}{half:8.3f}{most:8.3f}{mitoem:14.3f}{segments:10.0f}")
        print("voxel-wise average precision: " + ", ".join(f"{name} {value:.4f}" for name, value in precision.items()))
