"""The benchmark of prediction runs; how fast anything is, no test says."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("inference.py")


@pytest.mark.slow
def test_both_predict_the_same_and_are_measured(tmp_path):
    table = tmp_path / "inference.csv"
    subprocess.run([sys.executable, str(SCRIPT), "--quick", "--csv", str(table)], check=True, timeout=600)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    both = {(what, who) for what in ("stitching", "16 sections", "32 sections") for who in ("MONAI", "sectome")}
    assert {(row["what"], row["who"]) for row in rows} == {*both, ("stitching", "sectome, slab by slab")}
