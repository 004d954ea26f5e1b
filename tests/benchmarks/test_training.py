"""The benchmark of training runs; how fast anything is, no test says."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("training.py")
CANDIDATES = {
    "mae step": {"MONAI", "sectome"},
    "mae ablation": {"sectome", "all patches embedded", "all patches predicted", "attention not fused"},
    "unetr step": {"MONAI UNETR", "sectome, default", "sectome, unetr"},
    "unetr prediction": {"MONAI UNETR", "sectome, default", "sectome, unetr"},
    "data and step": {"MONAI CacheDataset, MONAI step", "sectome", "sectome, resident"},
}


@pytest.mark.slow
def test_each_part_measures_its_candidates(tmp_path):
    table = tmp_path / "training.csv"
    command = [sys.executable, SCRIPT, "--quick", "--device", "cpu", "--precision", "fp32", "--csv", table]
    subprocess.run([str(word) for word in command], check=True, timeout=800)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for part, candidates in CANDIDATES.items():
        assert {row["candidate"] for row in rows if row["part"] == part} >= candidates
    for row in rows:
        assert float(row["ms"]) > 0
        assert float(row["ratio"]) > 0
        assert row["machine"]
