"""The benchmark of blockwise segmentation runs, and what it segments is what the whole volume gives."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("segment_volume.py")


@pytest.mark.slow
def test_stages_are_measured_on_a_real_cluster(tmp_path):
    table = tmp_path / "blockwise.csv"
    words = ["--shape", "32", "128", "128", "--block", "32", "64", "64", "--group", "1", "1", "2", "--workers", "1"]
    command = [sys.executable, str(SCRIPT), *words, "--folder", str(tmp_path), "--csv", str(table)]
    done = subprocess.run(command, check=True, timeout=600, capture_output=True, text=True)
    assert "a petavoxel:" in done.stdout
    with table.open(newline="") as file:
        blocks = {row["stage"]: row["blocks"] for row in csv.DictReader(file)}
    assert [blocks[stage] for stage in ("fragments", "edges", "merge_1", "join", "relabel")] == list("44214")
