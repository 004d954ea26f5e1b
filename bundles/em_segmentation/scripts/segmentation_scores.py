"""Scores of predicted affinities as objects: the threshold from validation tissue, the scores from test tissue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events

from sectome.affinities import labels_to_affinities
from sectome.crops import Tissue
from sectome.metrics import (
    adapted_rand_error,
    boundary_average_precision,
    scores_by_threshold,
    variation_of_information,
)
from sectome.neighbourhoods import check_offsets
from sectome.postprocess import MergeHistory, agglomerate_mean, connected_components, make_fragments, region_graph
from sectome.report import overlay_figure
from sectome.training.run_record import write_json
from sectome.transforms import erode_borders
from sectome.types import FloatArray, LabelArray, Offsets
from sectome.volumes.replace import replacing

THRESHOLDS = tuple(np.round(np.arange(0.02, 1.0, 0.02), 2).tolist())
COMPONENT_THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass
class Predicted:
    """A volume with its truth, the prediction, and the prediction's fragments and merges."""

    truth: LabelArray
    affinities: FloatArray
    fragments: LabelArray
    history: MergeHistory


def score(truth: LabelArray, segmentation: LabelArray) -> dict[str, float]:
    """Return "are", "voi_split", "voi_merge" (bits; truth 0 ignored) and the number of "segments"."""
    split, merge = variation_of_information(truth, segmentation)
    return {
        "are": adapted_rand_error(truth, segmentation),
        "voi_split": split,
        "voi_merge": merge,
        "segments": int(len(np.unique(segmentation[segmentation > 0]))),
    }


def mean_row(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each number over volumes."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def best(rows: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """Return the row with the smallest variation of information."""
    return min(rows, key=lambda row: row["voi_split"] + row["voi_merge"])


class SegmentationScores:
    """Segment each predicted volume, choose thresholds on validation tissue, and score test tissue.

    Beside mean-affinity agglomeration stand three controls: connected components of the same prediction (naive), one
    segment for everything, and the true affinities through the same pipeline (which must score almost 0). Writes
    `scores.json`, `overlays.npz` and `overlay.png` into the run's folder.

    Args:
        output_dir: folder of the run.
        tissue: the volumes that are predicted, in order.
        validation: how many of them, from the first on, choose the thresholds.
        test: how many of them, up to the last, are scored; both may name the same volume.
        offsets: (z, y, x) steps, one a channel.
        erode_steps: how the training's targets were made; the true affinities are made the same way.
        fragments: "distance" or "watershed".
        per_section: whether fragments are grown in each section by itself.
    """

    def __init__(
        self,
        output_dir: str,
        tissue: Sequence[Tissue],
        validation: int,
        test: int,
        offsets: Offsets,
        erode_steps: int = 0,
        fragments: str = "distance",
        per_section: bool = False,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.tissue = list(tissue)
        self.validation = validation
        self.test = test
        self.offsets = check_offsets(offsets)
        self.erode_steps = erode_steps
        self.fragments = fragments
        self.per_section = per_section
        self.predicted: list[Predicted] = []

    def attach(self, engine: Engine) -> None:
        """Segment after each volume, score at the end."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def collect(self, engine: Engine) -> None:
        """Make fragments and merges of one volume."""
        output = engine.state.output
        affinities = output["pred"][0].float().sigmoid().cpu().numpy()
        # Unlabelled voxels are negative; the metrics ignore 0.
        truth = np.maximum(output["label"][0, 0].cpu().numpy(), 0)
        self.predicted.append(self.segment(affinities, truth, self.tissue[len(self.predicted)]))

    def segment(self, affinities: FloatArray, truth: LabelArray, tissue: Tissue) -> Predicted:
        """Return fragments and the merge history of affinities (K, Z, Y, X)."""
        fragments = make_fragments(
            affinities,
            self.offsets,
            fragments=self.fragments,
            voxel_size_nm=tissue.voxel_size_nm,
            per_section=self.per_section,
        )
        history = agglomerate_mean(region_graph(affinities, self.offsets, fragments))
        return Predicted(truth, affinities, fragments, history)

    def write(self, engine: Engine) -> None:
        """Choose, score, write, and print the table."""
        validation, test = self.predicted[: self.validation], self.predicted[-self.test :]
        sweep = self.sweep(validation)
        threshold = best(sweep)["threshold"]
        component_threshold = best(
            [
                {"threshold": value, **mean_row([score(one.truth, self.components(one, value)) for one in validation])}
                for value in COMPONENT_THRESHOLDS
            ]
        )["threshold"]

        segmentations = [one.history.labels_at(threshold, one.fragments) for one in test]
        scores = {
            "mean agglomeration": mean_row([score(one.truth, labels) for one, labels in zip(test, segmentations)]),
            "connected components": mean_row(
                [score(one.truth, self.components(one, component_threshold)) for one in test]
            ),
            "one segment": mean_row([score(one.truth, np.ones_like(one.truth)) for one in test]),
            "true affinities": mean_row([self.score_truth(one, tissue) for one, tissue in self.test_pairs(test)]),
        }
        names = [str(tissue.image.path) for tissue in self.tissue]
        result = {
            "threshold": threshold,
            "component_threshold": component_threshold,
            "validation": [Path(name).name for name in names[: self.validation]],
            "test": [Path(name).name for name in names[-self.test :]],
            "sweep": sweep,
            "scores": scores,
            "boundary_average_precision": self.boundary_precision(test),
        }
        write_json(result, self.output_dir / "scores.json")
        self.draw(test[0], segmentations[0], self.tissue[-self.test])
        print(f"scores at threshold {threshold} (chosen on validation tissue), written to {self.output_dir}")
        print(f"{'':24}{'ARE':>8}{'VOI split':>11}{'VOI merge':>11}{'VOI':>8}{'segments':>10}")
        for name, row in scores.items():
            voi = row["voi_split"] + row["voi_merge"]
            print(
                f"{name:24}{row['are']:8.4f}{row['voi_split']:11.3f}{row['voi_merge']:11.3f}{voi:8.3f}"
                f"{row['segments']:10.0f}"
            )

    def test_pairs(self, test: Sequence[Predicted]) -> list[tuple[Predicted, Tissue]]:
        """Return the test volumes with their tissue."""
        return list(zip(test, self.tissue[-self.test :], strict=True))

    def sweep(self, volumes: Sequence[Predicted]) -> list[dict[str, float]]:
        """Return mean scores at each of `THRESHOLDS`."""
        tables = [scores_by_threshold(one.truth, one.fragments, one.history, THRESHOLDS) for one in volumes]
        return [mean_row(rows) for rows in zip(*tables, strict=True)]

    def components(self, one: Predicted, threshold: float) -> LabelArray:
        """Return connected components of a prediction."""
        return connected_components(one.affinities, self.offsets, threshold=threshold)

    def targets(self, truth: LabelArray) -> tuple[Any, Any]:
        """Return true affinities, made as for training, and where they are known."""
        eroded = erode_borders(torch.from_numpy(truth), self.erode_steps).numpy()
        return labels_to_affinities(eroded, self.offsets, mask=truth > 0)

    def score_truth(self, one: Predicted, tissue: Tissue) -> dict[str, float]:
        """Score the true affinities through the same pipeline, at their own best threshold."""
        affinities = labels_to_affinities(
            erode_borders(torch.from_numpy(one.truth), self.erode_steps).numpy(), self.offsets
        )[0]
        perfect = self.segment(affinities.astype(np.float32), one.truth, tissue)
        threshold = best(scores_by_threshold(one.truth, perfect.fragments, perfect.history, THRESHOLDS))["threshold"]
        return score(one.truth, perfect.history.labels_at(threshold, perfect.fragments))

    def boundary_precision(self, test: Sequence[Predicted]) -> dict[str, float]:
        """Return the voxel-wise average precision of borders for each offset, mean over volumes."""
        totals: dict[str, list[float]] = {str(offset): [] for offset in self.offsets}
        for one in test:
            truth, valid = self.targets(one.truth)
            for channel, offset in enumerate(self.offsets):
                totals[str(offset)].append(
                    boundary_average_precision(truth[channel], one.affinities[channel], valid[channel])
                )
        return {offset: float(np.mean(values)) for offset, values in totals.items()}

    def draw(self, one: Predicted, labels: LabelArray, tissue: Tissue) -> None:
        """Write the middle planes of a test volume, as arrays and as a picture."""
        raw = tissue.image[tissue.sections[0] : tissue.sections[1], :, :]
        volumes = {
            "raw": raw,
            "affinity": one.affinities[:3].mean(axis=0),
            "segmentation": labels,
            "truth": one.truth,
        }
        planes: dict[str, Any] = {"voxel_size_nm": np.asarray(tissue.voxel_size_nm, dtype=float)}
        for name, volume in volumes.items():
            planes[f"{name}_xy"] = volume[volume.shape[0] // 2]
            planes[f"{name}_xz"] = volume[:, volume.shape[1] // 2]
        with replacing(self.output_dir / "overlays.npz") as partial, partial.open("wb") as file:
            np.savez_compressed(file, **planes)
        with replacing(self.output_dir / "overlay.png") as partial:
            overlay_figure(planes).savefig(partial, format="png", dpi=110)
