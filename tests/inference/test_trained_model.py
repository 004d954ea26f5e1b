"""A model is made of its own bundle's code."""

from __future__ import annotations

import sys

from sectome.inference.trained_model import open_model
from tiny_networks import BUNDLES


def test_a_model_is_opened_where_the_scripts_of_another_bundle_were_imported(mae_scripts, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    root = BUNDLES / "em_segmentation"
    assert open_model(root, device="cpu").checkpoint == root / "models/model.pt"
    assert sys.modules["scripts"].__file__ == str(root / "scripts/__init__.py")
