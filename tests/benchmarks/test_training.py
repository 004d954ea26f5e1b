"""The benchmark of training runs; how fast anything is, no test says."""

from __future__ import annotations

import csv
import re
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
    "loader": {"one batch again and again", "sectome", "sectome, resident"},
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


def test_a_resident_batch_asks_little_of_its_device():
    command = [sys.executable, str(SCRIPT), "--quick", "--device", "cpu", "--precision", "fp32", "--parts", "loader"]
    printed = subprocess.run(command, check=True, timeout=300, capture_output=True, text=True).stdout
    # As many bytes as this are 1 ms of an H100 for 32 crops of 32x160x160; and a kernel costs some microseconds.
    found = re.search(r"(\d+) kernels, .* ([\d.]+) times the batch", printed)
    assert found, printed
    crops = 2
    assert int(found[1]) <= 3 * crops + 12
    assert float(found[2]) <= 16
