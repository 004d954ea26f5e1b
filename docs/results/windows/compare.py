"""What larger windows and less overlap do to a prediction: its scores, and how often it computes each voxel.

python docs/results/windows/compare.py ROWS.csv RUN... --settings "48,48,48:.5 96,96,96:.25" [and more], from the
project's root: predicts tissue with each run's model.pt, once per setting "z,y,x:overlap", and scores its last sections
as configs/evaluate.json does, with the threshold that is best on them. Rows that the file already has are skipped.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from pathlib import Path

import numpy as np
import torch

from sectome.affinities import labels_to_affinities
from sectome.inference import StreamingInferer, TrainedModel, open_model
from sectome.inference.predict_volume import grid_over
from sectome.metrics import LabelledAffinities, boundary_average_precision, tune
from sectome.tissue import Tissue, open_tissue
from sectome.trained_settings import TrainedSettings
from sectome.transforms import erode_borders
from sectome.types import FloatArray, LabelArray

COLUMNS = ["run", "window", "overlap", "times_computed", "boundary_ap", "voi_split", "voi_merge", "are"]


def main() -> None:
    """Write one row for each run and setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--settings", required=True)
    parser.add_argument("--data", type=json.loads, required=True, help="entry of the tissue to predict, as JSON")
    parser.add_argument("--voxel_size_nm", type=float, nargs=3, required=True)
    parser.add_argument("--scored", type=int, required=True, help="score only so many sections, the last ones")
    parser.add_argument("--bundle", default="bundles/em_segmentation", help="with the network of the runs")
    parser.add_argument("--per_section", action="store_true", help="segment with fragments of single sections")
    given = parser.parse_args()
    there = set()
    if given.rows.is_file():
        with given.rows.open(newline="") as file:
            there = {(row["run"], row["window"], row["overlap"]) for row in csv.DictReader(file)}
    with given.rows.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not file.tell():
            writer.writeheader()
        for run in given.runs:
            model = open_model(given.bundle, run / "model.pt")
            erode_steps = TrainedSettings(run / "model.pt")["erode_steps"]
            (tissue,) = open_tissue([given.data], given.voxel_size_nm, intensity=model.intensity, labelled=True)
            whole = tissue.read_whole()
            labels = whole["label"][0, -given.scored :].numpy()
            for setting in given.settings.split():
                sizes, overlap = setting.split(":")
                key = {"run": "/".join(run.parts[-2:]), "window": sizes.replace(",", "x"), "overlap": overlap}
                if tuple(key.values()) in there:
                    continue
                window = tuple(map(int, sizes.split(",")))
                affinities = predicted(model, whole["image"], window, float(overlap))[:, -given.scored :]
                row = {
                    **key,
                    "times_computed": times_computed(tissue, window, float(overlap)),
                    "boundary_ap": boundary_precision(labels, affinities, model, erode_steps),
                    **segmented(labels, affinities, model, tissue, given.per_section),
                }
                writer.writerow(row)
                file.flush()
                print(json.dumps(row), flush=True)


def predicted(model: TrainedModel, image: torch.Tensor, window: tuple[int, ...], overlap: float) -> FloatArray:
    """Return the affinities (K, Z, Y, X) of an image (1, Z, Y, X)."""
    return StreamingInferer(window, overlap=overlap)(image[None], model.predict)[0].sigmoid().numpy()


def times_computed(tissue: Tissue, window: tuple[int, ...], overlap: float) -> float:
    """Return the voxels of all windows for each voxel of a tissue."""
    windows = math.prod(len(starts) for starts in grid_over(tissue.shape, window, overlap, "gaussian").starts)
    return round(windows * math.prod(window) / math.prod(tissue.shape), 2)


def boundary_precision(labels: LabelArray, affinities: FloatArray, model: TrainedModel, erode_steps: int) -> float:
    """Return the mean, over offsets that cross any, of the voxel-wise average precision of boundaries."""
    eroded = np.maximum(erode_borders(torch.from_numpy(labels), erode_steps).numpy(), 0)
    truth, valid = labels_to_affinities(eroded, model.offsets, mask=labels >= 0)
    each = [
        boundary_average_precision(*channel)
        for channel in zip(truth, affinities, valid, strict=True)
        if len(np.unique(channel[0][channel[2] > 0])) == 2
    ]
    return round(float(np.mean(each)), 5)


def segmented(
    labels: LabelArray, affinities: FloatArray, model: TrainedModel, tissue: Tissue, per_section: bool
) -> dict[str, float]:
    """Return the scores of neurons by mean affinity at the best threshold."""
    labelled = LabelledAffinities(affinities, np.maximum(labels, 0), tissue.voxel_size_nm)
    scores = tune([labelled], model.offsets, methods=("mean",), per_section=per_section).best.scores
    return {name: round(getattr(scores, name), 4) for name in ("voi_split", "voi_merge", "are")}


if __name__ == "__main__":
    main()
