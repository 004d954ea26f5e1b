"""The guide's commands, run as they stand there from a copy of the bundles, with a network that trains in seconds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES, TINY

GUIDE = (Path(__file__).parents[1] / "docs/your_own_volume.md").read_text(encoding="utf-8")
SHORT = {
    "train": "--epochs 1 --epoch_length 2 --val_interval 1 --val_crops 1 --batch_size 1",
    "evaluate": "--crop_size [8,32,32]",
    "inference": "--overlap 0",
}
"""Appended to the guide's commands, where the last of two options with one name wins."""


def shortened(line: str, bundle: str) -> str:
    if "monai.bundle run" not in line:
        return line
    configs = [name for name in ("evaluate", "inference", "train") if f"configs/{name}.json" in line]
    size = "" if "--crop_size" in SHORT[configs[0]] else "--crop_size [8,32,32]"
    network = " ".join(f"--{name} {value}" for name, value in TINY[bundle].items())
    if configs[0] == "inference":
        return f"{line} {SHORT['inference']}"
    for option in ("--epochs", "--batch_size"):
        line = re.sub(rf" {option} \S+", "", line)
    return f"{line} {SHORT[configs[0]]} {size} {network}"


@pytest.mark.slow
def test_the_guide_leads_from_a_fresh_volume_to_neurons_and_a_report(tmp_path):
    shutil.copytree(BUNDLES, tmp_path / "bundles", ignore=shutil.ignore_patterns("__pycache__", "eval", "data"))
    lines, bundle = [], ""
    for line in "".join(re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)).splitlines():
        bundle = next((name for name in TINY if line.startswith("cd ") and name in line), bundle)
        lines.append(shortened(line, bundle).replace("48,192,192", "48,64,64"))
    commands = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONWARNINGS": "ignore",
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(
        ["sh", "-ec", "\n".join(lines)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    labels = open_volume(tmp_path / "runs/neurons/phantom_0_labels.tif")
    assert (labels.shape, labels.voxel_size_nm) == ((48, 64, 64), (30, 6, 6))
    assert (tmp_path / "runs/report.html").stat().st_size > 10_000


def test_the_overlays_of_the_guide_use_keys_that_the_configs_have():
    keys = set(re.findall(r'^\| .* \| .*?`"(\w+)":', GUIDE, re.MULTILINE)) | {"resident", "num_workers"}
    assert len(keys) >= 5
    known = set(json.loads((BUNDLES / "em_segmentation/configs/train.json").read_text()))
    assert keys <= known


def test_ids_of_a_mask_lie_where_the_mask_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r'`python -c "(.+?)"`', GUIDE)
    mask = np.array([[[1, 0, 1]]], np.uint8)
    write_volume("mask.tif", mask, voxel_size_nm=(30, 6, 6), offset_nm=(60, 12, 18))
    exec(code, {})
    labels = open_volume("labels.tif")
    assert np.array_equal(labels[:], [[[1, 0, 2]]])
    assert (labels.voxel_size_nm, labels.offset_nm) == ((30, 6, 6), (60, 12, 18))
