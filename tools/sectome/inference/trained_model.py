"""A trained network as its bundle describes it, ready to predict windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.inferers import SimpleInferer
from torch import Tensor

from sectome.bundle import check_device, find_input_error
from sectome.bundle_folder import find_scripts
from sectome.checks import InputError, check_patch_divides, check_whole_triple
from sectome.fingerprint import identify_model
from sectome.inference.blended_slabs import Predict
from sectome.inference.orientations import check_exchanged, check_voxels_exchanged, predict_oriented
from sectome.trained_settings import warn_of_other_voxels
from sectome.training import AutocastInferer, compile_prediction
from sectome.transforms.normaliser import Normaliser
from sectome.types import Offset, Shape3, VoxelSize


@dataclass(frozen=True)
class TrainedModel:
    """A network that predicts affinities or other maps, and its training settings.

    Attributes:
        predict: maps windows (B, 1, z, y, x) to logits (B, K, z, y, x).
        channels: K offsets (z, y, x) of affinities, or K names of other maps.
        window: size (z, y, x) in voxels of its windows.
        intensity: normalisation of grey values.
        voxel_size_nm: (z, y, x) in training; None if the model does not state it.
        device: device of the network.
        checkpoint: file of the weights.
        orientations: orientations of a window that are averaged.
        precision: "bf16", "fp32" or "auto".
    """

    predict: Predict
    channels: tuple[Offset, ...] | tuple[str, ...]
    window: Shape3
    intensity: Normaliser
    voxel_size_nm: VoxelSize | None
    device: torch.device
    checkpoint: Path
    orientations: str = "one"
    precision: str = "auto"

    @property
    def offsets(self) -> tuple[Offset, ...]:
        """K offsets (z, y, x) of affinities.

        Raises:
            InputError: if the channels are other maps.
        """
        steps = tuple(step for step in self.channels if not isinstance(step, str))
        if len(steps) != len(self.channels):
            names = ", ".join(map(str, self.channels))
            raise InputError(
                f"expected a model of affinities at {self.checkpoint}, got one of {names}: use `sectome predict` and "
                "then `sectome mitochondria`"
            )
        return steps

    def identity(self) -> dict[str, Any]:
        """Return plain values that identify this model's predictions, for `predict_volume`."""
        return {
            "model": identify_model(self.checkpoint),
            "orientations": self.orientations,
            "precision": self.precision,
        }

    def check_voxels(self, voxel_size_nm: VoxelSize, name: str) -> None:
        """Warn if a volume's voxel size differs from that of the training; see `warn_of_other_voxels`.

        Args:
            voxel_size_nm: voxel size of the volume (z, y, x).
            name: name of the volume.

        Raises:
            InputError: if edges that the orientations exchange differ by more than a quarter.
        """
        check_voxels_exchanged(self.orientations, voxel_size_nm, name)
        warn_of_other_voxels(voxel_size_nm, self.voxel_size_nm, name)


def open_model(
    bundle: str | Path,
    checkpoint: str | Path | None = None,
    *,
    window: Sequence[int] | None = None,
    device: str | None = None,
    precision: str = "auto",
    orientations: str = "one",
    compile: bool = False,
) -> TrainedModel:
    """Return the network that a bundle's `inference.json` declares; its `scripts` become importable.

    Args:
        bundle: root folder of em_segmentation, or of a bundle made from it.
        checkpoint: file of the weights; by default the bundle's own.
        window: size (z, y, x) in voxels of a window; by default that of the training's crops.
        device: "cuda:0", "cpu" or others; by default a GPU if there is one.
        precision: "bf16", "fp32" or "auto".
        orientations: orientations of a window to average over; see `predict_oriented`.
        compile: whether torch compiles the network; see `compile_prediction`.

    Raises:
        InputError: if there is no such bundle or model, it does not name each of its channels, its patches do not
            divide the window, the orientations do not suit its windows or offsets, or it cannot be compiled here.
    """
    read = read_inference(bundle, checkpoint, device)
    names, offsets, out_channels = read("channels"), read("offsets"), read("out_channels")
    channels = tuple(names or (tuple(step) for step in offsets))
    if out_channels != len(channels):
        raise InputError(
            f"expected a model of affinities, one channel per offset, or of named channels at {read('checkpoint')}, "
            f"got {out_channels} channels"
        )
    sizes = check_whole_triple(read("window") if window is None else window, "window")
    check_patch_divides(read("patch_size"), sizes, "window")
    check_exchanged(orientations, sizes, "windows")
    network = read("network").eval()
    if compile:
        compile_prediction(network)
    run = AutocastInferer(SimpleInferer(), precision)

    def logits(windows: Tensor) -> Tensor:
        with torch.no_grad():
            values: Tensor = run(windows, network)
        return values

    trained_nm = read("trained").settings.get("voxel_size_nm")
    return TrainedModel(
        predict=predict_oriented(logits, orientations, None if names else offsets),
        channels=channels,
        window=sizes,
        intensity=read("intensity"),
        voxel_size_nm=None if trained_nm is None else tuple(trained_nm),
        device=read("device"),
        checkpoint=Path(read("checkpoint")),
        orientations=orientations,
        precision=precision,
    )


def read_inference(bundle: str | Path, checkpoint: str | Path | None, device: str | None) -> Callable[[str], Any]:
    """Return a function that makes the parts of a bundle's `inference.json` by name.

    Raises:
        InputError: if there is no such bundle or device; when called, if a part raises one or is missing.
    """
    root = Path(bundle).resolve()
    config = root / "configs" / "inference.json"
    if not config.is_file():
        raise InputError(f"expected the root of a bundle at {bundle}, got no {config}; give --bundle")
    find_scripts(root)
    parser = ConfigParser()
    parser.read_config(str(config))
    parser["bundle_root"] = str(root)
    if checkpoint is not None:
        parser["checkpoint"] = str(Path(checkpoint).resolve())
    if device is not None:
        parser["device"] = f"$torch.device({str(check_device(device))!r})"

    def read(name: str) -> Any:
        try:
            return parser.get_parsed_content(name)
        except RuntimeError as error:
            raise find_input_error(error) or error from None
        except KeyError:
            raise InputError(
                f"expected a bundle of em_segmentation at {bundle}, got one whose {config.name} has no {name!r}"
            ) from None

    return read
