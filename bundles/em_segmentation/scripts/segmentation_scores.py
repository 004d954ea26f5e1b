"""Scores of segmented affinities: thresholds chosen on validation tissue, scores on test tissue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from scripts.predicted_volumes import Predicted, PredictedVolumes, mean_row
from sectome.affinities import labels_to_affinities
from sectome.metrics import (
    LabelledAffinities,
    Tuned,
    adapted_rand_error,
    boundary_average_precision,
    tune,
    variation_of_information,
)
from sectome.neighbourhoods import NEAREST, check_offsets
from sectome.postprocess import (
    SegmentationOptions,
    affinities_to_labels,
    connected_components,
    save_options,
    tuned_path,
)
from sectome.tissue import Tissue
from sectome.transforms import erode_borders
from sectome.types import LabelArray, Offsets

COMPONENT_THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def score(truth: LabelArray, segmentation: LabelArray) -> dict[str, float]:
    """Return "are", "voi_split", "voi_merge" (bits), all without voxels of truth 0, and the number of "segments"."""
    split, merge = variation_of_information(truth, segmentation)
    return {
        "are": adapted_rand_error(truth, segmentation),
        "voi_split": split,
        "voi_merge": merge,
        "segments": len(np.unique(segmentation[segmentation > 0])),
    }


class SegmentationScores(PredictedVolumes):
    """Segment each predicted volume, choose thresholds on validation tissue, and score test tissue.

    Mean-affinity agglomeration and, with long-range offsets, the mutex watershed are compared with three controls:
    connected components of the same prediction (naive), one segment for everything, and the true affinities through the
    same pipeline (which must score almost 0). Writes `scores.json`, `overlays.npz` and `overlay.png` to the run folder,
    and the best options beside the model, where inference finds them.

    Args:
        output_dir: run folder.
        tissue: predicted volumes, in order.
        validation: number of leading volumes, on which thresholds are chosen.
        test: number of trailing volumes, which are scored; a volume may be used for both.
        offsets: offsets (z, y, x), one per channel.
        checkpoint: path of the model that made the affinities.
        erode_steps: steps of border erosion of the training's targets; borders are scored against such targets.
        fragments: "distance" or "watershed".
        per_section: whether each section gets its own fragments.
    """

    def __init__(
        self,
        output_dir: str,
        tissue: Sequence[Tissue],
        validation: int,
        test: int,
        offsets: Offsets,
        checkpoint: str,
        erode_steps: int = 0,
        fragments: str = "distance",
        per_section: bool = False,
    ) -> None:
        self.offsets = check_offsets(offsets)
        super().__init__(output_dir, tissue, validation, test, checkpoint, (len(self.offsets), "one per offset"))
        self.erode_steps = erode_steps
        self.fixed = {"fragments": fragments, "per_section": per_section}

    def write(self, validation: Sequence[Predicted], test: Sequence[Predicted]) -> None:
        """Choose thresholds, score, write files and print the table."""
        tuned = {"mean agglomeration": self.tune(validation, "mean")}
        if len(self.offsets) > len(NEAREST):
            tuned["mutex watershed"] = self.tune(validation, "mutex")
        winner = min(tuned, key=lambda name: tuned[name].best.scores.voi)
        best = tuned[winner].best.options
        components = self.choose_components(validation)

        segmentations = {
            name: [self.segment(one, method.best.options) for one in test] for name, method in tuned.items()
        }
        scores = {
            name: mean_row([score(one.truth, labels) for one, labels in zip(test, found, strict=True)])
            for name, found in segmentations.items()
        }
        scores |= {
            "connected components": mean_row([score(one.truth, self.components(one, components)) for one in test]),
            "one segment": mean_row([score(one.truth, np.ones_like(one.truth)) for one in test]),
            "true affinities": mean_row([self.score_truth(one) for one in test]),
        }
        mean = tuned["mean agglomeration"]
        result = {
            "options": asdict(best),
            "threshold": mean.best.options.threshold,
            "component_threshold": components,
            **self.names,
            "sweep": [trial.scores._asdict() for trial in mean.along_threshold()],
            "scores": scores,
            "boundary_average_precision": self.boundary_precision(test),
        }
        self.write_scores(result)
        evidence = {
            "validation": self.names["validation"],
            "methods": {name: one.evidence() for name, one in tuned.items()},
        }
        save_options(tuned_path(self.checkpoint), best, evidence)
        self.draw(test[0], segmentations[winner][0], "affinity", test[0].maps[:3].mean(axis=0))
        self.print_table(best, scores)

    def tune(self, volumes: Sequence[Predicted], method: str) -> Tuned:
        """Return a method's trials and the one with the smallest mean variation of information over volumes."""
        labelled = [LabelledAffinities(one.maps, one.truth, one.tissue.voxel_size_nm) for one in volumes]
        return tune(labelled, self.offsets, methods=(method,), **self.fixed)

    def choose_components(self, volumes: Sequence[Predicted]) -> float:
        """Return the threshold of connected components with the smallest VOI."""

        def voi(threshold: float) -> float:
            rows = [score(one.truth, self.components(one, threshold)) for one in volumes]
            return float(np.mean([row["voi_split"] + row["voi_merge"] for row in rows]))

        return min(COMPONENT_THRESHOLDS, key=voi)

    def segment(self, one: Predicted, options: SegmentationOptions) -> LabelArray:
        """Return the segments of a volume."""
        size_nm = one.tissue.voxel_size_nm
        return affinities_to_labels(one.maps, self.offsets, voxel_size_nm=size_nm, **vars(options))

    def components(self, one: Predicted, threshold: float) -> LabelArray:
        """Return the connected components of a prediction."""
        return connected_components(one.maps, self.offsets, threshold=threshold)

    def targets(self, labels: LabelArray) -> tuple[Any, Any]:
        """Return affinities of the labels, computed as in training, and a mask of known ones."""
        eroded = erode_borders(torch.from_numpy(labels), self.erode_steps).numpy()
        return labels_to_affinities(np.maximum(eroded, 0), self.offsets, mask=labels >= 0)

    def score_truth(self, one: Predicted) -> dict[str, float]:
        """Score the true affinities through the same pipeline, at their own best thresholds.

        Borders are not eroded here, because segmentation cannot restore eroded voxels, whose affinities are exactly 0.
        """
        affinities = labels_to_affinities(one.truth, self.offsets)[0].astype(np.float32)
        perfect = Predicted(one.tissue, one.labels, affinities)
        return score(one.truth, self.segment(perfect, self.tune([perfect], "mean").best.options))

    def boundary_precision(self, test: Sequence[Predicted]) -> dict[str, float]:
        """Return the voxel-wise average precision of borders for each offset that has any, averaged over volumes."""
        totals: dict[str, list[float]] = {str(offset): [] for offset in self.offsets}
        for one in test:
            truth, valid = self.targets(one.labels)
            for channel, values in enumerate(totals.values()):
                if len(np.unique(truth[channel][valid[channel] > 0])) == 2:
                    values.append(boundary_average_precision(truth[channel], one.maps[channel], valid[channel]))
        return {offset: float(np.mean(values)) for offset, values in totals.items() if values}

    def print_table(self, options: SegmentationOptions, scores: Mapping[str, Mapping[str, float]]) -> None:
        """Print the scores."""
        print(
            f"wrote scores to {self.output_dir} and the options that were best on validation tissue to "
            f"{tuned_path(self.checkpoint)}: method {options.method}, threshold {options.threshold:g}, "
            f"boundary_threshold {options.boundary_threshold}"
        )
        print(f"{'':24}{'ARE':>8}{'VOI split':>11}{'VOI merge':>11}{'VOI':>8}{'segments':>10}")
        for name, row in scores.items():
            voi = row["voi_split"] + row["voi_merge"]
            print(
                f"{name:24}{row['are']:8.4f}{row['voi_split']:11.3f}{row['voi_merge']:11.3f}{voi:8.3f}"
                f"{row['segments']:10.0f}"
            )
