"""Export of a network to ONNX, for any batch size and any crop that the patch divides."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from sectome.types import Shape3

OPSET = 20
"""ONNX operator set: the newest that programs of the field read, and the oldest with all operators of the network."""


def write_onnx(network: nn.Module, path: str | Path, patch_size: Shape3) -> None:
    """Write a network with input "image" and output "logits" to a single file.

    Args:
        network: maps (B, 1, Z, Y, X) to (B, K, Z, Y, X); in evaluation mode.
        path: the .onnx file.
        patch_size: voxels of a patch (z, y, x); each length of the input must be a multiple.
    """
    pz, py, px = patch_size
    # All lengths differ and exceed 1: the exporter assumes that equal lengths are always equal, and that 1 is constant.
    example = torch.zeros(2, 1, 2 * pz, 3 * py, 4 * px)
    grid = [patch * torch.export.Dim(f"patches_{axis}") for axis, patch in zip("zyx", patch_size, strict=True)]
    shapes = {0: torch.export.Dim("batch"), **dict(enumerate(grid, start=2))}
    with torch.no_grad(), _quiet_exporter():
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=["image"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamic_shapes=(shapes,),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hide the exporter's messages about torchvision, which is not used here, and about its own code."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            yield
    finally:
        log.setLevel(level)
