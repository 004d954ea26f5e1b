"""What a training run left behind, for tests that compare runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sectome.training import read_history


def load(folder: Path, name: str = "model.pt") -> dict[str, Any]:
    """Return the content of a checkpoint in a run's folder."""
    return torch.load(folder / name, weights_only=True)


def numbers(folder: Path, name: str) -> list[float]:
    """Return the values of one name in a run's history, in order."""
    return [row[3] for row in read_history(folder / "history.csv") if row[2] == name]
