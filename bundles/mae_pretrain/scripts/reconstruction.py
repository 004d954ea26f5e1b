"""Evaluation of a masked autoencoder: its masked loss beside a naive baseline's, and pictures."""

from __future__ import annotations

from dataclasses import dataclass

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events

from scripts.masked_autoencoder import MaskedAutoencoder, gather_tokens
from sectome.checks import check_writable
from sectome.encoder import patchify
from sectome.json_object import write_json
from sectome.replace import replacing
from sectome.report import reconstruction_figure
from sectome.training import gather_batches, write_arrays
from sectome.types import VoxelSize

PICTURES = 4
"""Number of crops to draw."""


@dataclass(frozen=True)
class Batch:
    """Results of a batch: the masked loss and the baseline's per crop, and the arrays to draw by name."""

    losses: list[float]
    baselines: list[float]
    drawn: dict[str, list[np.ndarray]]


class ReconstructionScores:
    """Collect the masked loss of an evaluation and a naive baseline's, with pictures of the first crops.

    Several processes may share the batches (`sectome.training.SharedBatches`); the first one gathers and writes.

    Writes `evaluation.json`, `reconstructions.npz` and `reconstructions.png` to the run folder. The baseline fills
    hidden voxels with the mean of the crop's visible ones. With normalised targets, a prediction gets the true mean and
    deviation of its patch, so the baseline gets that mean, too.

    Args:
        output_dir: run folder.
        network: masked autoencoder to evaluate.
        voxel_size_nm: voxel size (z, y, x), for the pictures.
    """

    def __init__(self, output_dir: str, network: MaskedAutoencoder, voxel_size_nm: VoxelSize) -> None:
        self.output_dir = check_writable(output_dir, "output_dir")
        self.network = network
        self.voxel_size_nm = voxel_size_nm
        self.batches: list[Batch] = []

    def attach(self, engine: Engine) -> None:
        """Collect after each batch, write at the end."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def collect(self, engine: Engine) -> None:
        """Keep the losses of a batch, and its pictures while more are needed."""
        image, output = engine.state.output["image"], engine.state.output["pred"]
        patch_size = self.network.encoder.patch_size
        patches = patchify(image, patch_size)
        hidden, visible = gather_tokens(patches, output["ids_masked"]), gather_tokens(patches, output["ids_keep"])
        # Compare raw voxels whatever the target.
        pictures = self.network.pictures(image, output)
        filled = gather_tokens(patchify(pictures["reconstructed"], patch_size), output["ids_masked"])
        losses = (filled - hidden).square().mean(dim=(1, 2)).tolist()
        normalised = self.network.target == "normalised"
        mean = hidden.mean(dim=2, keepdim=True) if normalised else visible.mean(dim=(1, 2), keepdim=True)
        baselines = (mean - hidden).square().mean(dim=(1, 2)).tolist()

        missing = max(PICTURES - sum(len(batch.drawn["image"]) for batch in self.batches), 0)
        shown = {"image": image, **pictures}
        drawn = {name: [sample[0].cpu().numpy() for sample in batch[:missing]] for name, batch in shown.items()}
        self.batches.append(Batch(losses, baselines, drawn))

    def write(self, engine: Engine) -> None:
        """Write the files and print the losses, in the first process only."""
        batches = gather_batches(self.batches)
        if idist.get_rank():
            return
        losses = [loss for batch in batches for loss in batch.losses]
        self.output_dir.mkdir(parents=True, exist_ok=True)
        scores = {
            "masked_loss": float(np.mean(losses)),
            "masked_loss_of_mean": float(np.mean([loss for batch in batches for loss in batch.baselines])),
            "mask_ratio": self.network.mask_ratio,
            "crops": len(losses),
        }
        arrays = {
            name: np.stack([picture for batch in batches for picture in batch.drawn[name]][:PICTURES])
            for name in batches[0].drawn
        }
        arrays["voxel_size_nm"] = np.asarray(self.voxel_size_nm, dtype=float)
        write_arrays(arrays, self.output_dir / "reconstructions.npz")
        with replacing(self.output_dir / "reconstructions.png") as partial:
            reconstruction_figure(**arrays).savefig(partial, format="png", dpi=110)
        write_json(scores, self.output_dir / "evaluation.json")
        print(
            f"masked loss {scores['masked_loss']:.4f} over {scores['crops']} crops "
            f"(filling in the {'patch' if self.network.target == 'normalised' else 'visible'} mean: "
            f"{scores['masked_loss_of_mean']:.4f})"
        )
