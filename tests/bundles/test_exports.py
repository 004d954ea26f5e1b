"""MONAI's exports of the bundles' networks: the same numbers for any crop, and a bundle without model.pt."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export, onnx_export

from sectome.phantom import make_phantom
from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES, SMALLEST

CLOSE = 1e-6
"""Largest difference of a scripted network's probability from the network's own."""

PATCH = (2, 4, 4)
SETTINGS = {
    "patch_size": PATCH,
    "crop_size": (8, 16, 16),
    "offsets": [[-1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "out_channels": 3,
    **SMALLEST,
}
NETWORKS = list(itertools.product(["plain", "hybrid", "residual_unet"], ["residual", "single", "sub_pixel"]))


def build(scripts, name="hybrid", full_resolution="sub_pixel"):
    torch.manual_seed(0)
    common = {"patch_size": PATCH, "out_channels": 3, "feature_size": 4, "full_resolution": full_resolution}
    if name == "residual_unet":
        return scripts.ResidualUNet(**common).eval()
    encoder = {"hidden_size": 24, "depth": 2, "num_heads": 2}
    return scripts.UNETR(**common, **encoder, convolutions=name == "hybrid").eval()


def tissue(*shape: int) -> torch.Tensor:
    batch, *size = shape
    raw = torch.stack([torch.from_numpy(make_phantom(size, (30, 6, 6), seed).raw) for seed in range(batch)])[:, None]
    return (raw.float() - raw.float().mean()) / raw.float().std()


def assert_same(exported, network, *shapes: tuple[int, ...]) -> None:
    for shape in shapes:
        image = tissue(*shape)
        with torch.no_grad():
            expected, found = network(image).sigmoid(), exported(image).sigmoid()
        assert expected.std() > 100 * CLOSE
        assert (found - expected).abs().max() <= CLOSE


@pytest.mark.slow
@pytest.mark.parametrize(("name", "full_resolution"), NETWORKS)
def test_a_scripted_network_is_the_network_for_any_crop(segmentation_scripts, name, full_resolution):
    network = build(segmentation_scripts, name, full_resolution)
    scripted = torch.jit.script(network)
    assert scripted.state_dict().keys() == network.state_dict().keys()
    assert_same(scripted, network, (1, 8, 16, 16), (3, 8, 16, 16), (1, 6, 24, 20))
    with pytest.raises(torch.jit.Error, match="got 18 voxels and a patch of 4 along x"):
        scripted(torch.zeros(1, 1, 8, 16, 18))


def save(network, folder: Path) -> Path:
    folder.mkdir()
    torch.save({"model": network.state_dict()}, folder / "model.pt")
    (folder / "model.json").write_text(json.dumps(SETTINGS))
    return folder / "model.pt"


def arguments(checkpoint: Path, output: Path, *overlays: str) -> dict[str, object]:
    return {
        "net_id": "network_def",
        "filepath": str(output),
        "ckpt_file": str(checkpoint),
        "meta_file": "configs/metadata.json",
        "config_file": ["configs/inference.json", *(f"configs/networks/{name}.json" for name in overlays)],
        "checkpoint": str(checkpoint),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hybrid", "unetr", "residual_unet"])
def test_monai_exports_every_network_as_torchscript(segmentation_scripts, monkeypatch, tmp_path, name):
    monkeypatch.chdir(BUNDLES / "em_segmentation")
    network = build(segmentation_scripts, {"unetr": "plain"}.get(name, name))
    overlays = [] if name == "hybrid" else [name]
    ckpt_export(**arguments(save(network, tmp_path / "trained"), tmp_path / "model.ts", *overlays))
    files = {"inference.json": ""}
    assert_same(torch.jit.load(tmp_path / "model.ts", _extra_files=files), network, (1, 8, 16, 16), (3, 6, 24, 20))
    assert "network_def" in json.loads(files["inference.json"])


def test_other_weights_than_the_networks_are_not_exported(segmentation_scripts, monkeypatch, tmp_path):
    monkeypatch.chdir(BUNDLES / "em_segmentation")
    checkpoint = save(build(segmentation_scripts, "residual_unet"), tmp_path / "trained")
    with pytest.raises(RuntimeError, match="Missing key"):
        ckpt_export(**arguments(checkpoint, tmp_path / "model.ts"))
    assert not (tmp_path / "model.ts").exists()


# torch's exporter warns of its own code and of `dynamic_axes`, for which MONAI leaves no other choice; MONAI leaves a
# file to be closed.
@pytest.mark.filterwarnings("ignore:`isinstance:FutureWarning")
@pytest.mark.filterwarnings("ignore:# 'dynamic_axes' is not recommended:UserWarning")
@pytest.mark.filterwarnings("ignore:from_dynamic_axes_to_dynamic_shapes is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
@pytest.mark.slow
def test_monai_exports_onnx_for_any_number_of_crops(segmentation_scripts, monkeypatch, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.chdir(BUNDLES / "em_segmentation")
    network = build(segmentation_scripts)
    names = {"input_names": ["image"], "output_names": ["logits"], "dynamic_axes": {"image": {0: "batch"}}}
    options = {"input_shape": [1, 1, 8, 16, 16], "converter_kwargs": names}
    onnx_export(**arguments(save(network, tmp_path / "trained"), tmp_path / "model.onnx"), **options)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        image = tissue(batch, 8, 16, 16)
        with torch.no_grad():
            expected = network(image).sigmoid()
        found = torch.from_numpy(session.run(["logits"], {"image": image.numpy()})[0]).sigmoid()
        assert (found - expected).abs().max() < 10 * CLOSE


def test_an_autoencoder_is_exported_as_what_encodes(mae_scripts, tmp_path):
    torch.manual_seed(0)
    options = {"patch_size": PATCH, "hidden_size": 24, "depth": 2, "num_heads": 2, "decoder_hidden_size": 12}
    autoencoder = mae_scripts.MaskedAutoencoder(**options, decoder_num_heads=2)
    torch.save({"model": autoencoder.state_dict()}, tmp_path / "model.pt")
    network = mae_scripts.VolumeNetwork(mae_scripts.MaskedAutoencoder(**options, decoder_num_heads=2), "encode").eval()
    network.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert torch.equal(network.autoencoder.mask_token, autoencoder.mask_token)
    scripted = torch.jit.script(network)
    assert scripted(tissue(3, 6, 24, 20)).shape == (3, 24, 3, 6, 5)
    assert_same(scripted, network, (1, 8, 16, 16), (3, 6, 24, 20))
    with pytest.raises(ValueError, match="--mode must be encode for an export, got reconstruct"):
        torch.jit.script(mae_scripts.VolumeNetwork(autoencoder))


@pytest.fixture(scope="module")
def scripted_bundle(tmp_path_factory) -> Path:
    """A copy of em_segmentation whose weights are `model.ts` alone, made by the command of its page."""
    folder = tmp_path_factory.mktemp("bundles") / "em_segmentation"
    source = BUNDLES / "em_segmentation"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("model.pt", "__pycache__", "eval", "runs"))
    words = ["--net_id", "network_def", "--filepath", str(folder / "models/model.ts"), "--ckpt_file", "models/model.pt"]
    words += ["--meta_file", "configs/metadata.json", "--config_file", "configs/inference.json"]
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "ckpt_export", *words]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_a_bundle_with_a_scripted_network_alone_makes_the_same_labels(
    segmentation_scripts, scripted_bundle, run_bundle, tmp_path
):
    write_volume(tmp_path / "cube.tif", make_phantom((48, 56, 56), (8, 8, 8), 0).raw, voxel_size_nm=(8, 8, 8))
    options = {"image": tmp_path / "cube.tif", "output_dir": tmp_path / "plain", "overlap": 0, "precision": "fp32"}
    done = run_bundle("em_segmentation", "inference", **options)
    assert done.returncode == 0, done.stderr[-3000:]
    expected = np.asarray(open_volume(tmp_path / "plain/cube_labels.tif"))
    assert len(np.unique(expected)) > 3

    # What MONAI Label reads of such a folder.
    assert [path.name for path in (scripted_bundle / "models").glob("model.*t*")] == ["model.ts"]
    parser = ConfigParser()
    parser.read_config(scripted_bundle / "configs/inference.json")
    parser.update({**options, "bundle_root": str(scripted_bundle), "output_dir": str(tmp_path / "scripted")})
    before, inferer, after = (parser.get_parsed_content(key) for key in ("preprocessing", "inferer", "postprocessing"))
    network = torch.jit.load(scripted_bundle / "models/model.ts")
    sample = before({"image": str(tmp_path / "cube.tif")})
    with torch.no_grad():
        sample["pred"] = inferer(sample["image"][None], network)[0]
    assert np.array_equal(np.asarray(after(sample)["pred"]).squeeze().T, expected)

    # And from the command line.
    options |= {"output_dir": tmp_path / "run", "checkpoint": scripted_bundle / "models/model.pt"}
    loaded = f"$torch.jit.load('{scripted_bundle / 'models/model.ts'}').to(@device)"
    done = run_bundle("em_segmentation", "inference", **options, network=loaded)
    assert done.returncode == 0, done.stderr[-3000:]
    assert np.array_equal(np.asarray(open_volume(tmp_path / "run/cube_labels.tif")), expected)


@pytest.mark.gpu
@pytest.mark.skipif(
    not torch.cuda.is_available() or find_spec("torch_tensorrt") is None, reason="needs a CUDA GPU and torch_tensorrt"
)
def test_monai_exports_tensorrt(tmp_path):
    words = ["--net_id", "network_def", "--filepath", str(tmp_path / "model_trt.ts"), "--ckpt_file", "models/model.pt"]
    words += ["--meta_file", "configs/metadata.json", "--config_file", "configs/inference.json", "--precision", "fp16"]
    words += ["--input_shape", "[1,1,48,48,48]", "--dynamic_batchsize", "[1,4,8]"]
    command = [sys.executable, "-m", "monai.bundle", "trt_export", *words]
    source = BUNDLES / "em_segmentation"
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    image = tissue(2, 48, 48, 48).cuda()
    assert torch.jit.load(tmp_path / "model_trt.ts")(image).shape == (2, 9, 48, 48, 48)
