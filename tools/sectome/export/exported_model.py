"""A trained network with all that an export must know of it and of its bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from sectome.bundle_folder import PAGES_OF_WEIGHTS
from sectome.checks import InputError, check_triple, check_whole_triple
from sectome.inference.trained_model import read_inference
from sectome.json_object import read_json_object
from sectome.transforms import StandardiseIntensity
from sectome.types import Offset, Shape3, VoxelSize


@dataclass(frozen=True)
class ExportedModel:
    """A trained affinity network and its metadata.

    Attributes:
        network: maps standardised images (B, 1, Z, Y, X) to logits (B, K, Z, Y, X); on the CPU, in evaluation mode.
        offsets: K offsets (z, y, x) in voxels.
        patch_size: voxels of a patch (z, y, x); each length of the input must be a multiple.
        crop_size: voxels of a training crop (z, y, x).
        voxel_size_nm: voxel size of the training (z, y, x).
        metadata: the bundle's `metadata.json`.
        documents: the bundle's pages about its own weights, by file name; empty for other weights.
    """

    network: nn.Module
    offsets: tuple[Offset, ...]
    patch_size: Shape3
    crop_size: Shape3
    voxel_size_nm: VoxelSize
    metadata: Mapping[str, Any]
    documents: Mapping[str, str]


def open_for_export(bundle: str | Path, checkpoint: str | Path | None = None) -> ExportedModel:
    """Load the network that a bundle's `inference.json` declares; its `scripts` can be imported from then on.

    Args:
        bundle: root folder of em_segmentation, or of a bundle made from it.
        checkpoint: the model; by default the bundle's own.

    Raises:
        InputError: if there is no such bundle or model, or it does not predict affinities from standardised grey
            values.
    """
    read = read_inference(bundle, checkpoint, "cpu")
    offsets, channels, intensity = read("offsets"), read("out_channels"), read("intensity")
    if channels != len(offsets):
        raise InputError(
            f"expected a model of affinities, one channel per offset, at {read('checkpoint')}, got {channels} channels "
            f"and {len(offsets)} offsets; `python -m monai.bundle onnx_export` exports others (docs/exports.md)"
        )
    if not isinstance(intensity, StandardiseIntensity):
        raise InputError(f"intensity must be StandardiseIntensity for an export, got {type(intensity).__name__}")
    return ExportedModel(
        network=read("network").eval(),
        offsets=tuple(tuple(step) for step in offsets),
        patch_size=check_whole_triple(read("patch_size"), "patch_size of the model"),
        crop_size=check_whole_triple(read("crop_size"), "crop_size of the model"),
        voxel_size_nm=check_triple(read("trained")["voxel_size_nm"], "voxel_size_nm of the model"),
        metadata=read_json_object(Path(bundle) / "configs/metadata.json", "metadata"),
        documents=_documents(Path(bundle)) if checkpoint is None else {},
    )


def _documents(bundle: Path) -> dict[str, str]:
    paths = [bundle / "docs" / name for name in PAGES_OF_WEIGHTS]
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}
