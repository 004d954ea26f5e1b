"""A small declaration, and bundles' commands that take no time."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sectome.study import bundle_command
from tiny_networks import BUNDLES

STUB = Path(__file__).with_name("stub_bundle.py")

DECLARATION: dict[str, Any] = {
    "name": "small",
    "asks": "Does it run?",
    "seeds": [0, 1],
    "baseline": "scratch",
    "pretraining": {"overlays": ["configs/datasets/phantom.json"], "overrides": {"epochs": 2}},
    "fine_tuning": {"overlays": ["configs/datasets/phantom.json"], "overrides": {"epochs": 3, "batch_size": 2}},
    "pretrainings": {"mae": {"overrides": {"mask_ratio": 0.5}}},
    "arms": {
        "scratch": {"overrides": {"encoder_lr_factor": 1.0}},
        "pretrained": {"pretraining": "mae", "overrides": {"encoder_lr_factor": 0.2}},
    },
}


@pytest.fixture
def declare(tmp_path: Path) -> Callable[..., Path]:
    """Write a declaration with some parts changed, and return its path."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "study.json"
        path.write_text(json.dumps({**copy.deepcopy(DECLARATION), **changes}))
        return path

    return write


@pytest.fixture
def run_stubbed(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `sectome study` into a folder with made-up bundle runs; return exit code, output and errors."""
    monkeypatch.setattr(bundle_command, "PYTHON", (sys.executable, "-S", str(STUB)))

    def call(path: Path, *options: object, to: str = "out") -> tuple[int | str | None, str, str]:
        return run("study", path, "--to", tmp_path / to, "--bundles", BUNDLES, "--jobs", 2, *options)

    return call
