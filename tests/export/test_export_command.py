"""What `sectome export` refuses: one sentence each, and nothing is written."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from tiny_networks import BUNDLES

BUNDLE = BUNDLES / "em_segmentation"


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("model.ts", [], "must end in .onnx or .zip, got "),
        ("model.zip", [], "--license must be given for a .zip, such as CC-BY-4.0"),
        ("there.onnx", [], "must be a new file, got "),
        ("model.onnx", ["--license", "CC0-1.0"], "--license must be given for a .zip only, got CC0-1.0"),
        ("model.onnx", ["--checkpoint", "none/model.pt"], "expected a trained model at "),
    ],
)
def test_what_cannot_be_written_is_said_in_one_sentence(run, segmentation_scripts, tmp_path, name, options, sentence):
    (tmp_path / "there.onnx").write_text("kept")
    code, _, err = run("export", BUNDLE, tmp_path / name, *options)
    assert code == 2
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there.onnx"]
    assert (tmp_path / "there.onnx").read_text() == "kept"


def test_a_folder_that_is_no_bundle_is_refused(run, tmp_path):
    code, _, err = run("export", tmp_path, tmp_path / "model.onnx")
    assert (code, "expected the root of a bundle at" in err) == (2, True)


@pytest.mark.parametrize(("suffix", "package"), [(".onnx", "onnxscript"), (".zip", "bioimageio.spec")])
def test_a_missing_package_is_named_with_its_extra(run, monkeypatch, tmp_path, suffix, package):
    missing = package.split(".")[0]
    monkeypatch.setattr("sectome.checks.find_spec", lambda name: None if name == missing else find_spec(name))
    licence = ["--license", "CC-BY-4.0"] if suffix == ".zip" else []
    code, _, err = run("export", BUNDLE, tmp_path / f"model{suffix}", *licence)
    assert (code, err) == (
        2,
        f"error: an export to {suffix} needs {package}, which is not installed: pip install 'sectome[export]'\n",
    )


def test_a_licence_that_is_none_is_refused_and_nothing_is_written(run, checkpoint, tmp_path):
    pytest.importorskip("bioimageio.spec")
    words = ["export", BUNDLE, tmp_path / "model.zip", "--license", "mine", "--checkpoint", checkpoint]
    code, _, err = run(*words)
    sentence = "--license must be an identifier from https://spdx.org/licenses, such as CC-BY-4.0, got 'mine'"
    assert (code, err) == (2, f"error: {sentence}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["trained"]


def test_sizes_of_a_training_that_were_floats_are_whole_numbers(checkpoint):
    from sectome.export.exported_model import open_for_export

    settings = json.loads(checkpoint.with_suffix(".json").read_text())
    floats = {name: [float(size) for size in settings[name]] for name in ("patch_size", "crop_size")}
    checkpoint.with_suffix(".json").write_text(json.dumps({**settings, **floats}))
    model = open_for_export(BUNDLE, checkpoint)
    assert [type(size) for size in (*model.patch_size, *model.crop_size)] == [int] * 6


def test_other_outputs_than_affinities_are_refused(run, checkpoint, tmp_path):
    settings = json.loads(checkpoint.with_suffix(".json").read_text())
    checkpoint.with_suffix(".json").write_text(json.dumps({**settings, "out_channels": 2}))
    code, _, err = run("export", BUNDLE, tmp_path / "model.onnx", "--checkpoint", checkpoint)
    assert (code, "expected a model of affinities, one channel per offset, at" in err) == (2, True)
    assert "got 2 channels and 4 offsets; `python -m monai.bundle onnx_export` exports others (docs/exports.md)" in err


def test_grey_values_that_are_not_standardised_are_refused(run, checkpoint, tmp_path, monkeypatch):
    import sectome.export.exported_model as module

    read = module.read_inference
    changed = {"intensity": lambda image: image}
    monkeypatch.setattr(
        module, "read_inference", lambda *words: lambda name: changed[name] if name in changed else read(*words)(name)
    )
    code, _, err = run("export", BUNDLE, tmp_path / "model.onnx", "--checkpoint", checkpoint)
    assert (code, "intensity must be StandardiseIntensity for an export" in err) == (2, True)
