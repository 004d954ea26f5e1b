"""What `metadata.json` promises of a bundle: it follows the schema, and the shipped network is as it says."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import torch

from sectome.encoder import load_checkpoint
from sectome.phantom import make_phantom
from sectome.transforms import StandardiseIntensity
from tiny_networks import BUNDLES, TINY

ROOT = BUNDLES.parent
SCHEMA = Path(__file__).with_name("metadata_schema.json")
LARGE_BYTES = 25 * 2**20
FILES = [
    "LICENSE",
    *(
        f"configs/{name}.json"
        for name in ("metadata", "train", "evaluate", "inference", "multi_gpu_train", "multi_gpu_evaluate")
    ),
    "configs/logging.conf",
    "docs/README.md",
    "docs/data_license.txt",
    "models/model.pt",
    "scripts/__init__.py",
    "large_files.yml",
]


def metadata(bundle):
    return json.loads((BUNDLES / bundle / "configs/metadata.json").read_text())


def pinned(name):
    """Return the version that CI tests with."""
    text = (ROOT / "constraints.txt").read_text() + (ROOT / "Makefile").read_text()
    return re.search(rf"\b{name}==([\d.]+)", text)[1]


@pytest.mark.parametrize("bundle", [*TINY])
def test_a_bundle_has_the_files_of_the_zoo(bundle):
    assert [name for name in FILES if not (BUNDLES / bundle / name).is_file()] == []
    assert (BUNDLES / bundle / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("bundle", [*TINY])
def test_the_list_of_large_files_is_whole_and_readable(run_module, bundle):
    tracked = subprocess.run(["git", "ls-files", bundle], cwd=BUNDLES, capture_output=True, text=True, check=False)
    files = [BUNDLES / name for name in tracked.stdout.splitlines()] or [*(BUNDLES / bundle / "models").iterdir()]
    assert [path for path in files if path.stat().st_size > LARGE_BYTES] == []
    done = run_module("monai.bundle", "download_large_files", cwd=BUNDLES / bundle)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("bundle", [*TINY])
def test_metadata_follows_the_schema(run_module, bundle):
    words = ["verify_metadata", "--meta_file", "configs/metadata.json", "--filepath", SCHEMA]
    done = run_module("monai.bundle", *words, cwd=BUNDLES / bundle)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "metadata is verified with no error" in done.stderr + done.stdout


def test_the_schema_refuses_what_lacks_anything():
    schema, whole = json.loads(SCHEMA.read_text()), metadata("em_segmentation")
    for key in schema["required"]:
        lacking = {name: value for name, value in whole.items() if name != key}
        with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
            jsonschema.validate(lacking, schema)
    for key in schema["$defs"]["tensor"]["required"]:
        lacking = copy.deepcopy(whole)
        del lacking["network_data_format"]["outputs"]["pred"][key]
        with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
            jsonschema.validate(lacking, schema)


@pytest.mark.parametrize("bundle", [*TINY])
def test_versions_are_those_of_this_repository(bundle):
    meta = metadata(bundle)
    package = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert meta["required_packages_version"] == {"sectome": package}
    assert next(iter(meta["changelog"])) == meta["version"]
    versions = [meta[f"{name}_version"] for name in ("monai", "pytorch", "numpy")]
    assert versions == [pinned("monai"), pinned("torch"), pinned("numpy")]


@pytest.mark.parametrize("bundle", [*TINY])
def test_the_network_is_as_the_metadata_says(run_module, bundle):
    files = ["--meta_file", "configs/metadata.json", "--config_file", "configs/inference.json"]
    words = ["monai.bundle", "verify_net_in_out", "--net_id", "network_def", *files]
    done = run_module(*words, cwd=BUNDLES / bundle)
    assert done.returncode == 0, done.stderr[-2000:]
    wrong = ["--_meta_#network_data_format#outputs#pred#num_channels", 7]
    done = run_module(*words, *wrong, cwd=BUNDLES / bundle)
    assert done.returncode != 0
    assert "doesn't match: `7`" in done.stderr


@pytest.mark.parametrize("bundle", [*TINY])
def test_metadata_agrees_with_what_the_shipped_network_was_trained_as(bundle):
    settings = json.loads((BUNDLES / bundle / "models/model.json").read_text())
    tensors = metadata(bundle)["network_data_format"]
    image, pred = tensors["inputs"]["image"], tensors["outputs"]["pred"]
    # Inference runs windows of the crop that the training had.
    assert image["spatial_shape"] == pred["spatial_shape"] == settings["crop_size"]
    assert image["num_channels"] == 1
    assert pred["num_channels"] == (len(settings["offsets"]) if "offsets" in settings else 1)


def test_the_labels_of_the_segmentation_are_those_of_the_volume_that_inference_writes():
    """MONAI Label offers the labels of `channel_def`."""
    pred = metadata("em_segmentation")["network_data_format"]["outputs"]["pred"]
    assert pred["channel_def"] == {"0": "background", "1": "neuron"}


@pytest.mark.parametrize("bundle", [*TINY])
def test_values_lie_in_the_ranges_of_the_metadata(request, bundle):
    scripts = request.getfixturevalue({"mae_pretrain": "mae_scripts"}.get(bundle, "segmentation_scripts"))
    settings = json.loads((BUNDLES / bundle / "models/model.json").read_text())
    names = ["patch_size", "hidden_size", "depth", "num_heads"]
    if bundle == "mae_pretrain":
        names += ["decoder_hidden_size", "decoder_depth", "decoder_num_heads"]
        network = scripts.VolumeNetwork(scripts.MaskedAutoencoder(**{name: settings[name] for name in names}))
    else:
        names += ["out_channels", "feature_size", "full_resolution", "convolutions"]
        network = scripts.UNETR(**{name: settings[name] for name in names})
    prefix = "autoencoder." if bundle == "mae_pretrain" else ""
    load_checkpoint(network, BUNDLES / bundle / "models/model.pt", prefix).eval()
    tensors = metadata(bundle)["network_data_format"]
    torch.manual_seed(0)
    raw = torch.from_numpy(make_phantom((48, 48, 48), (8, 8, 8), 0).raw)
    image = StandardiseIntensity()(raw[None])[None]
    with torch.no_grad():
        output = network(image)
    for values, tensor in ((image, tensors["inputs"]["image"]), (output, tensors["outputs"]["pred"])):
        low, high = tensor["value_range"]
        assert low <= values.min()
        assert values.max() <= high
    # A range that is far too wide says nothing.
    assert float(output.max() - output.min()) > (high - low) / 4
