"""A small network of affinities with its settings, as a training of em_segmentation leaves it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from tiny_networks import SMALLEST

SETTINGS = {
    "patch_size": [2, 4, 4],
    "crop_size": [8, 16, 16],
    "offsets": [[-1, 0, 0], [0, -1, 0], [0, 0, -1], [0, -3, 3]],
    "out_channels": 4,
    **SMALLEST,
    "voxel_size_nm": [30.0, 6.0, 6.0],
}


@pytest.fixture
def checkpoint(segmentation_scripts, monkeypatch, tmp_path) -> Path:
    """`model.pt` with `model.json` beside it; the command finds the bundle's scripts already imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    torch.manual_seed(0)
    keys = ("patch_size", "out_channels", "hidden_size", "depth", "num_heads", "feature_size", "full_resolution")
    network = segmentation_scripts.UNETR(**{key: SETTINGS[key] for key in keys})
    folder = tmp_path / "trained"
    folder.mkdir()
    torch.save({"model": network.state_dict()}, folder / "model.pt")
    (folder / "model.json").write_text(json.dumps(SETTINGS))
    return folder / "model.pt"
