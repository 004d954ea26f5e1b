"""Predictions of whole volumes, collected during an evaluation, scored and drawn at its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events

from sectome.checks import InputError, check_whole_number, check_writable
from sectome.json_object import read_object, write_json
from sectome.replace import replacing, stamp
from sectome.report import overlay_figure
from sectome.tissue import Tissue
from sectome.trained_settings import settings_path, warn_of_other_voxels
from sectome.training import gather_batches, write_arrays
from sectome.types import FloatArray, LabelArray


@dataclass(frozen=True)
class Predicted:
    """A volume, its labels (Z, Y, X) with 0 for background and negative for unknown, and maps (K, Z, Y, X) in 0..1."""

    tissue: Tissue
    labels: LabelArray
    maps: FloatArray

    @property
    def truth(self) -> LabelArray:
        """The labels for the metrics, with unknown voxels set to 0."""
        return np.maximum(self.labels, 0)


def mean_row(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each number over rows, one row per volume."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


class PredictedVolumes(ABC):
    """An Ignite handler that keeps all predictions and scores them at the end.

    Several processes may share the volumes (`sectome.training.SharedBatches`). Each predicts its own; the first gathers
    and scores them all.

    Args:
        output_dir: run folder.
        tissue: predicted volumes, in order.
        validation: number of leading volumes, on which thresholds are chosen.
        test: number of trailing volumes, which are scored; a volume may be used for both.
        checkpoint: path of the model that made the predictions.
        channels: number of maps, and their meaning for errors, such as "one an offset".

    Raises:
        InputError: if no volume chooses thresholds or is scored, a folder is not writable, or the model has other
            targets.
    """

    def __init__(
        self,
        output_dir: str,
        tissue: Sequence[Tissue],
        validation: int,
        test: int,
        checkpoint: str,
        channels: tuple[int, str],
    ) -> None:
        check_whole_number(validation, 1, "the number of volumes in val_data, on which thresholds are chosen,")
        check_whole_number(test, 1, "the number of volumes in test_data, which are scored,")
        self.output_dir = check_writable(output_dir, "output_dir")
        check_writable(Path(checkpoint).parent, "the folder of the checkpoint, where the thresholds are written,")
        self.tissue = list(tissue)
        trained = read_object(settings_path(checkpoint))
        for one in self.tissue:
            warn_of_other_voxels(one.voxel_size_nm, trained.get("voxel_size_nm"), one.name)
        names = [one.name for one in self.tissue]
        self.names = {"validation": names[:validation], "test": names[-test:]}
        self.checkpoint = checkpoint
        self.weights = stamp(Path(checkpoint))
        self.channels = channels
        self.predicted: list[tuple[LabelArray, FloatArray]] = []
        self.check_channels(trained.get("out_channels", channels[0]))

    def attach(self, engine: Engine) -> None:
        """Collect after each volume, score at the end."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def check_channels(self, got: int) -> None:
        """Raise an `InputError` if the network predicts targets other than those scored here."""
        count, meaning = self.channels
        if got != count:
            raise InputError(
                f"predictions must have {count} channels, {meaning}, got {got}; name the overlay of the targets that "
                "the model was trained with, after evaluate.json"
            )

    def write_scores(self, result: Mapping[str, Any]) -> None:
        """Write `scores.json`.

        Raises:
            InputError: if a training has replaced the weights that were evaluated.
        """
        if stamp(Path(self.checkpoint)) != self.weights:
            raise InputError(
                f"{self.checkpoint} must not change while it is evaluated, got other weights by now: evaluate again "
                "when no training writes to it"
            )
        write_json(result, self.output_dir / "scores.json")

    def collect(self, engine: Engine) -> None:
        """Keep the maps and labels of one volume.

        Raises:
            InputError: if the network predicts targets other than those scored here.
        """
        output = engine.state.output
        logits = output["pred"][0]
        self.check_channels(len(logits))
        tissue = self.tissue[len(self.predicted) * idist.get_world_size() + idist.get_rank()]
        labels = output["label"][0, 0].cpu().numpy()
        self.predicted.append((labels, logits.float().sigmoid().cpu().numpy()))
        print(f"predicted {tissue.name}", flush=True)

    def finish(self, engine: Engine) -> None:
        """Divide the volumes into validation and test and score them, in the first process only."""
        gathered = gather_batches(self.predicted)
        if idist.get_rank():
            return
        predicted = [Predicted(tissue, *maps) for tissue, maps in zip(self.tissue, gathered, strict=True)]
        self.write(predicted[: len(self.names["validation"])], predicted[-len(self.names["test"]) :])

    @abstractmethod
    def write(self, validation: Sequence[Predicted], test: Sequence[Predicted]) -> None:
        """Choose thresholds on validation tissue, score test tissue, write files and print."""

    def draw(self, one: Predicted, labels: LabelArray, name: str, likely: FloatArray) -> None:
        """Write the middle planes of a volume to `overlays.npz` and `overlay.png`.

        Args:
            one: volume to draw.
            labels: its segmentation (Z, Y, X).
            name: name of the map to show.
            likely: that map (Z, Y, X), in 0..1.
        """
        volumes = {"raw": one.tissue.image[one.tissue.box], name: likely, "segmentation": labels, "truth": one.truth}
        planes: dict[str, Any] = {"voxel_size_nm": np.asarray(one.tissue.voxel_size_nm, dtype=float)}
        for kind, volume in volumes.items():
            planes[f"{kind}_xy"] = volume[volume.shape[0] // 2]
            planes[f"{kind}_xz"] = volume[:, volume.shape[1] // 2]
        write_arrays(planes, self.output_dir / "overlays.npz")
        with replacing(self.output_dir / "overlay.png") as partial:
            overlay_figure(planes).savefig(partial, format="png", dpi=110)
