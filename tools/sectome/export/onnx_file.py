"""A network as an ONNX file for any number of crops of any size that the patch divides."""

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
"""Version of ONNX's operators: the newest that programs of the field read, the oldest that has all of the network's."""


def write_onnx(network: nn.Module, path: str | Path, patch_size: Shape3) -> None:
    """Write a network whose input is called "image" and whose output "logits"; nothing lies beside the file.

    Args:
        network: maps (B, 1, Z, Y, X) to (B, K, Z, Y, X); for evaluation.
        path: the .onnx file.
        patch_size: voxels (z, y, x) of which each length of the input is a multiple.
    """
    pz, py, px = patch_size
    # Grids of different lengths, and more than one of each: the exporter takes what is equal, or 1, to be so always.
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
    """Hide what torch's exporter says about torchvision, which nothing here uses, and about its own code."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            yield
    finally:
        log.setLevel(level)
