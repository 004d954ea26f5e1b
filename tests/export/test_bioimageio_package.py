"""A model of bioimage.io: its own checks pass without a network, and it says how the model was trained."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from sectome.export import open_for_export
from sectome.export.bioimageio_package import channel_name, citations, write_bioimageio_package
from tiny_networks import BUNDLES

BUNDLE = BUNDLES / "em_segmentation"

TEST_OFFLINE = """
import json, socket, sys

def refuse(*arguments, **options):
    raise SystemExit(f"the network was used: {arguments}")

socket.socket.connect = socket.getaddrinfo = refuse
from bioimageio.core import test_model

summary = test_model(sys.argv[1], devices=["cpu"])
done = {detail.name: detail.status for detail in summary.details}
print(json.dumps({"status": summary.status, "details": done}))
"""


@pytest.mark.slow
def test_its_own_checks_pass_without_a_network(run, checkpoint, tmp_path):
    pytest.importorskip("bioimageio.core")
    pytest.importorskip("onnxruntime")
    output = tmp_path / "model.zip"
    words = ["export", BUNDLE, output, "--license", "CC0-1.0", "--checkpoint", checkpoint]
    assert run(*words)[:2] == (0, f"wrote {output}\n")

    command = [sys.executable, "-W", "ignore", "-c", TEST_OFFLINE, str(output)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["status"] == "passed", summary
    for weights in ("onnx", "torchscript"):
        assert summary["details"][f"Reproduce test outputs from test inputs ({weights})"] == "passed"
        assert summary["details"][f"Run {weights} inference for inputs with batch_size: 2 and size parameter n: 2"]

    with zipfile.ZipFile(output) as archive:
        described = archive.read("rdf.yaml").decode()
        names = set(archive.namelist())
    assert names >= {"weights.ts", "weights.onnx", "test_input.npy", "test_output.npy", "cover.png", "README.md"}
    # The pages of the bundle are about its own weights.
    assert "model_card.md" not in names
    for line in ("license: CC0-1.0", "scale: 30.0", "min: 16", "step: 2", "halo: 4", "- y_minus_3_x_plus_3"):
        assert line in described


def test_a_patch_remains_of_the_smallest_block_without_its_halo(checkpoint, monkeypatch, tmp_path):
    pytest.importorskip("bioimageio.spec")
    monkeypatch.setattr("sectome.export.bioimageio_package.write_onnx", lambda _, path, __: path.touch())
    sizes = {"crop_size": (4, 16, 20), "patch_size": (2, 16, 4)}
    model = replace(open_for_export(BUNDLE, checkpoint), network=torch.nn.Conv3d(1, 4, 1), **sizes)
    write_bioimageio_package(model, tmp_path / "model.zip", "CC0-1.0")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        described = archive.read("rdf.yaml").decode()
    assert re.findall(r"halo: (\d+)", described) == ["1", "4"]


def test_a_network_of_single_sections_is_tested_on_one(checkpoint, monkeypatch, tmp_path):
    pytest.importorskip("bioimageio.spec")
    monkeypatch.setattr("sectome.export.bioimageio_package.write_onnx", lambda _, path, __: path.touch())
    sizes = {"crop_size": (1, 32, 8), "patch_size": (1, 8, 8)}
    model = replace(open_for_export(BUNDLE, checkpoint), network=torch.nn.Conv3d(1, 4, 1), **sizes)
    write_bioimageio_package(model, tmp_path / "model.zip", "CC0-1.0")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        image = np.load(archive.open("test_input.npy"))
    assert image.shape == (1, 1, 1, 32, 8)
    assert image.std() > 0


def test_the_shipped_weights_come_with_their_pages(segmentation_scripts, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    model = open_for_export(BUNDLE)
    assert "CC BY" in model.documents["data_license.txt"]
    assert "FIB-25" in model.documents["model_card.md"]
    assert (model.patch_size, model.crop_size, model.voxel_size_nm) == ((8, 8, 8), (48, 48, 48), (8, 8, 8))


def test_channels_are_named_by_their_steps():
    assert [channel_name(offset) for offset in ((-1, 0, 0), (0, -3, 3), (2, 0, -9))] == [
        "z_minus_1",
        "y_minus_3_x_plus_3",
        "z_plus_2_x_minus_9",
    ]


def test_references_are_cited_by_doi():
    texts = ["A. 2020. doi:10.3389/fninf.2023.1118419.", "B. arXiv:2103.10504", "C, a book"]
    assert citations(texts) == [
        {"text": texts[0], "doi": "10.3389/fninf.2023.1118419"},
        {"text": texts[1], "doi": "10.48550/arXiv.2103.10504"},
    ]
