"""What a masked autoencoder's error is made of: the means of hidden patches, and the detail within them.

python decompose.py RUN... > decomposition.csv, from bundles/mae_pretrain; a RUN is a training's output folder with
run.json and model.pt. Scored on sections 120 to 169 of fib25_medulla (SECTOME_DATA), which no run trained on.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, os.getcwd())
from scripts import MaskedAutoencoder
from scripts.masked_autoencoder import gather_tokens
from torch import Tensor

from sectome.crops import GridCrops
from sectome.encoder import load_checkpoint, patchify

NETWORK = ("patch_size", "hidden_size", "depth", "num_heads", "decoder_hidden_size", "decoder_depth")
NETWORK += ("decoder_num_heads", "mask_ratio", "mask", "mask_block", "target")
VOXEL_SIZE_NM = (8, 8, 8)


def explained(truth: Tensor, prediction: Tensor) -> float:
    """Return the share of the truth's variance about 0 that a prediction explains."""
    return float(1 - (truth - prediction).square().mean() / truth.square().mean())


def main(runs: list[str]) -> None:
    """Print a row for each run."""
    image = f"{os.environ['SECTOME_DATA']}/fib25_medulla/labelled_raw.tif"
    crops = GridCrops([{"image": image, "sections": [120, 170]}], (48, 48, 48), voxel_size_nm=VOXEL_SIZE_NM)
    images = torch.stack([torch.as_tensor(crops[index]["image"]) for index in range(len(crops))])
    columns = ("run", "target", "iterations", "loss", "between_share", "explained_means", "explained_detail")
    table = csv.writer(sys.stdout)
    table.writerow(columns)
    for run in runs:
        settings = json.loads((Path(run) / "run.json").read_text())["settings"]
        network = MaskedAutoencoder(**{name: settings[name] for name in NETWORK})
        load_checkpoint(network, Path(run) / "model.pt").eval()
        torch.manual_seed(0)
        with torch.no_grad():
            output = network(images)
            hidden = gather_tokens(patchify(images, network.encoder.patch_size), output["ids_masked"])
        means = hidden.mean(dim=2, keepdim=True)
        detail = hidden - means
        prediction = output["prediction"].float()
        if settings["target"] == "normalised":
            prediction = prediction * hidden.std(dim=2, keepdim=True)
            explained_means = float("nan")
        else:
            explained_means = explained(means - means.mean(), prediction.mean(dim=2, keepdim=True) - means.mean())
        between = float(means.var() / (means.var() + detail.square().mean()))
        rows = Path(run, "history.csv").read_text().splitlines()
        table.writerow(
            [
                Path(run).name,
                settings["target"],
                rows[-1].split(",")[0],
                f"{float(output['loss']):.4f}",
                f"{between:.3f}",
                f"{explained_means:.3f}",
                f"{explained(detail, prediction - prediction.mean(dim=2, keepdim=True)):.3f}",
            ]
        )


if __name__ == "__main__":
    main(sys.argv[1:])
