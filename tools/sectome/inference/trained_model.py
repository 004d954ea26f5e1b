"""A trained network of affinities as its bundle describes it, ready to predict windows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.inferers import SimpleInferer
from torch import Tensor

from sectome.bundle import find_input_error
from sectome.checks import InputError
from sectome.inference.blended_slabs import Predict
from sectome.inference.flips import predict_flipped
from sectome.training import AutocastInferer
from sectome.transforms.normaliser import Normaliser
from sectome.types import Offset, Shape3, VoxelSize


@dataclass(frozen=True)
class TrainedModel:
    """What predicts affinities, and what it was trained as.

    Attributes:
        predict: maps windows (B, 1, z, y, x) to logits (B, K, z, y, x).
        offsets: K steps (z, y, x).
        window: voxels (z, y, x) of the crops that it was trained on.
        intensity: how grey values are normalised.
        voxel_size_nm: (z, y, x) of the training; None if the model does not say it.
        device: of the network.
        checkpoint: the file of its weights.
    """

    predict: Predict
    offsets: tuple[Offset, ...]
    window: Shape3
    intensity: Normaliser
    voxel_size_nm: VoxelSize | None
    device: torch.device
    checkpoint: Path


def open_model(
    bundle: str | Path,
    checkpoint: str | Path | None = None,
    *,
    device: str | None = None,
    precision: str = "auto",
    flips: bool = False,
) -> TrainedModel:
    """Return the network that a bundle's `inference.json` declares; its `scripts` can be imported from then on.

    Args:
        bundle: the root of em_segmentation, or of a bundle that was made from it.
        checkpoint: the model; without, the bundle's own.
        device: as "cuda:0" or "cpu"; without, a GPU if there is one.
        precision: "bf16", "fp32" or "auto".
        flips: take the mean over all flips of a window.

    Raises:
        InputError: if there is no such bundle or model, or it does not predict one channel an offset.
    """
    read = read_inference(bundle, checkpoint, device)
    offsets, channels = read("offsets"), read("out_channels")
    if channels != len(offsets):
        raise InputError(
            f"a model of affinities, one channel an offset, was expected at {read('checkpoint')}, got {channels} "
            "channels; others go through configs/inference.json"
        )
    network = read("network").eval()
    run = AutocastInferer(SimpleInferer(), precision)

    def logits(windows: Tensor) -> Tensor:
        with torch.no_grad():
            values: Tensor = run(windows, network)
        return values

    trained_nm = read("trained").settings.get("voxel_size_nm")
    return TrainedModel(
        predict=predict_flipped(logits, offsets) if flips else logits,
        offsets=tuple(tuple(step) for step in offsets),
        window=tuple(read("crop_size")),
        intensity=read("intensity"),
        voxel_size_nm=None if trained_nm is None else tuple(trained_nm),
        device=read("device"),
        checkpoint=Path(read("checkpoint")),
    )


def read_inference(bundle: str | Path, checkpoint: str | Path | None, device: str | None) -> Callable[[str], Any]:
    """Return what makes the parts of a bundle's `inference.json` by name.

    Raises:
        InputError: if there is no such bundle; when called, if a part says so.
    """
    root = Path(bundle).resolve()
    config = root / "configs" / "inference.json"
    if not config.is_file():
        raise InputError(f"the root of a bundle was expected at {bundle}, got no {config}; give --bundle")
    sys.path.insert(0, str(root))
    parser = ConfigParser()
    parser.read_config(str(config))
    parser["bundle_root"] = str(root)
    if checkpoint is not None:
        parser["checkpoint"] = str(Path(checkpoint).resolve())
    if device is not None:
        parser["device"] = f"$torch.device({str(device)!r})"

    def read(name: str) -> Any:
        try:
            return parser.get_parsed_content(name)
        except RuntimeError as error:
            raise find_input_error(error) or error from None

    return read
