"""What an export must know of a trained network and of the bundle that it comes from."""

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
    """A trained network of affinities and its papers.

    Attributes:
        network: maps (B, 1, Z, Y, X), standardised, to logits (B, K, Z, Y, X); on the CPU, for evaluation.
        offsets: K steps (z, y, x).
        patch_size: voxels (z, y, x) of which each length of the input is a multiple.
        crop_size: voxels (z, y, x) that it was trained on.
        voxel_size_nm: (z, y, x) of the training.
        metadata: the bundle's `metadata.json`.
        documents: the bundle's pages about its own weights, by name; none for other weights.
    """

    network: nn.Module
    offsets: tuple[Offset, ...]
    patch_size: Shape3
    crop_size: Shape3
    voxel_size_nm: VoxelSize
    metadata: Mapping[str, Any]
    documents: Mapping[str, str]


def open_for_export(bundle: str | Path, checkpoint: str | Path | None = None) -> ExportedModel:
    """Return the network that a bundle's `inference.json` declares; its `scripts` can be imported from then on.

    Args:
        bundle: the root of em_segmentation, or of a bundle that was made from it.
        checkpoint: the model; without, the bundle's own.

    Raises:
        InputError: if there is no such bundle or model, or it is no model of affinities of standardised grey values.
    """
    read = read_inference(bundle, checkpoint, "cpu")
    offsets, channels, intensity = read("offsets"), read("out_channels"), read("intensity")
    if channels != len(offsets):
        raise InputError(
            f"a model of affinities, one channel an offset, was expected at {read('checkpoint')}, got {channels} "
            f"channels and {len(offsets)} offsets; `python -m monai.bundle onnx_export` takes others (docs/exports.md)"
        )
    if not isinstance(intensity, StandardiseIntensity):
        raise InputError(
            f"only standardised grey values (StandardiseIntensity) can be exported, got {type(intensity).__name__}"
        )
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
