"""`sectome predict` with the weights that come with the bundle."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from sectome.affinity_file import StoredAffinities
from sectome.blockwise.config import read_config
from sectome.described import describe
from sectome.inference import StreamingInferer, open_model
from sectome.phantom import make_phantom
from sectome.tissue import open_tissue
from sectome.transforms import PercentileIntensity
from sectome.volumes import open_volume, write_volume
from tiny_networks import BUNDLES

BUNDLE = BUNDLES / "em_segmentation"

pytestmark = pytest.mark.usefixtures("forget_scripts")


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    path = tmp_path_factory.mktemp("cube") / "cube.tif"
    write_volume(path, make_phantom((52, 56, 56), (8, 8, 8), 0).raw, voxel_size_nm=(8, 8, 8))
    return path


@pytest.mark.slow
def test_it_predicts_what_inference_does_and_segments_to_the_same_neurons(run, run_bundle, cube, tmp_path):
    options = {"image": cube, "output_dir": tmp_path, "overlap": 0, "save_affinities": True, "precision": "fp32"}
    options["window"] = [48, 48, 48]
    streaming = {"_target_": "sectome.inference.StreamingInferer", "roi_size": "@window", "overlap": "@overlap"}
    done = run_bundle("em_segmentation", "inference", **options, inferer__inferer=streaming)
    assert done.returncode == 0, done.stderr[-3000:]

    command = ["predict", cube, tmp_path / "streamed.zarr", "--bundle", BUNDLE, "--window", "48,48,48", "--overlap", 0]
    code, out, err = run(*command, "--device", "cpu", "--precision", "fp32")
    assert (code, out.splitlines()[-1]) == (0, f"wrote {tmp_path / 'streamed.zarr'}"), err
    made = StoredAffinities(tmp_path / "streamed.zarr")
    whole = StoredAffinities(tmp_path / "cube_affinities.zarr")
    assert np.abs(made.read_all().astype(int) - whole.read_all()).max() <= 1
    assert (made.offsets, made.voxel_size_nm) == (whole.offsets, whole.voxel_size_nm)

    # The same block by block, and as far as the labels.
    settings = {
        "volume": str(cube),
        "bundle": str(BUNDLE),
        "output": str(tmp_path / "blocks.ome.zarr"),
        "block_voxels": [32, 64, 64],
        "context_voxels": [24, 24, 24],
        "scheduler": "threads",
        "workers": 1,
        "window": [48, 48, 48],
        "overlap": 0,
        "device": "cpu",
        "precision": "fp32",
    }
    (tmp_path / "run.json").write_text(json.dumps(settings))
    code, out, err = run("segment-volume", "--config", tmp_path / "run.json")
    assert code == 0, err
    blocks = StoredAffinities(tmp_path / "blocks.ome.zarr.run/affinities.zarr")
    np.testing.assert_array_equal(blocks.read([slice(None)] * 3), made.read_all())

    code, out, err = run(
        "segment", tmp_path / "streamed.zarr", tmp_path / "a.tif", "--checkpoint", BUNDLE / "models/model.pt"
    )
    assert code == 0, err
    assert open_volume(tmp_path / "a.tif").shape == (52, 56, 56)
    np.testing.assert_array_equal(open_volume(tmp_path / "blocks.ome.zarr"), open_volume(tmp_path / "a.tif"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_compiled_network_predicts_the_same_in_command_bundle_and_blocks(run, run_bundle, cube, tmp_path):
    options = {"image": cube, "overlap": 0, "save_affinities": True, "precision": "fp32"}
    command = ("predict", cube, "--bundle", BUNDLE, "--overlap", 0, "--device", "cpu", "--precision", "fp32")
    code, _, err = run(command[0], cube, tmp_path / "plain.zarr", *command[2:])
    assert code == 0, err
    expected = StoredAffinities(tmp_path / "plain.zarr").read_all().astype(int)

    code, _, err = run(command[0], cube, tmp_path / "compiled.zarr", *command[2:], "--compile")
    assert code == 0, err
    done = run_bundle("em_segmentation", "inference", **options, output_dir=tmp_path, compile=True)
    assert done.returncode == 0, done.stderr[-3000:]
    settings = {"volume": str(cube), "bundle": str(BUNDLE), "output": str(tmp_path / "blocks.ome.zarr"), "overlap": 0}
    settings |= {"scheduler": "threads", "workers": 1, "device": "cpu", "precision": "fp32", "compile": True}
    (tmp_path / "run.json").write_text(json.dumps(settings))
    code, _, err = run("segment-volume", "--config", tmp_path / "run.json")
    assert code == 0, err
    for made in ("compiled.zarr", "cube_affinities.zarr", "blocks.ome.zarr.run/affinities.zarr"):
        assert np.abs(StoredAffinities(tmp_path / made).read_all() - expected).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_prediction_goes_on_by_the_same_command(run, tmp_path, number):
    write_volume(tmp_path / "raw.tif", make_phantom((240, 48, 48), (8, 8, 8), 0).raw, voxel_size_nm=(8, 8, 8))
    words = [*("--bundle", BUNDLE, "--batch_size", 1, "--device", "cpu", "--precision", "fp32")]
    command = [sys.executable, "-m", "sectome.cli", "predict", tmp_path / "raw.tif", tmp_path / "a.zarr", *words]
    done = tmp_path / "a.zarr.run" / "done.npy"
    with subprocess.Popen([*map(str, command)]) as process:
        while not done.is_file():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
    assert not (tmp_path / "a.zarr").exists()
    tile, section = np.load(done)
    code, out, err = run(*command[3:])
    assert (code, tile) == (0, 0), err
    assert out.splitlines()[0] == f"continuing at section {section} of 240"
    assert run("predict", tmp_path / "raw.tif", tmp_path / "b.zarr", *words)[0] == 0
    once, twice = (StoredAffinities(tmp_path / name).read_all() for name in ("b.zarr", "a.zarr"))
    np.testing.assert_array_equal(once, twice)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr", "b.zarr", "raw.tif"]


def test_a_network_cannot_be_compiled_without_a_compiler(run, cube, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    code, _, err = run("predict", cube, tmp_path / "out.zarr", "--bundle", BUNDLE, "--device", "cpu", "--compile")
    assert code == 2
    assert "expected a C++ compiler for compile, got no 'no-such-compiler' here" in err
    assert not list(tmp_path.iterdir())


BOX = {"sections": [3, 51], "rows": [5, 55], "columns": [7, 56]}


@pytest.fixture
def config(cube, tmp_path):
    """Write what predicts and segments a box block by block, with some changes, and return its path."""

    def write(**changes):
        mask = np.zeros((52, 56, 56), np.uint8)
        mask[:, 20:, :40] = 1
        write_volume(tmp_path / "mask.tif", mask, voxel_size_nm=(8, 8, 8))
        settings = {
            "volume": str(cube),
            "mask": str(tmp_path / "mask.tif"),
            "bundle": str(BUNDLE),
            "output": str(tmp_path / "out.ome.zarr"),
            "overlap": 0,
            "device": "cpu",
            "precision": "fp32",
            "scheduler": "threads",
            "workers": 1,
        }
        (tmp_path / "config.json").write_text(json.dumps({**settings, **BOX, **changes}))
        return tmp_path / "config.json"

    return write


@pytest.mark.parametrize("window", [[], [32, 24, 40]])
def test_a_box_is_predicted_at_once_and_by_blocks(run, config, cube, tmp_path, window):
    source = read_config(config(window=window or None)).plan().source
    assert list(source.window) == (window or [48, 48, 48])
    ranges = (text for name, (start, stop) in BOX.items() for text in (f"--{name}", f"{start},{stop}"))
    options = ("--bundle", BUNDLE, "--overlap", 0, "--device", "cpu", "--precision", "fp32", "--mask", source.mask)
    sizes = ("--window", ",".join(map(str, window))) if window else ()
    code, _, err = run("predict", cube, tmp_path / "a.zarr", *options, *ranges, *sizes)
    assert code == 0, err
    made = StoredAffinities(tmp_path / "a.zarr")
    assert made.shape == source.shape == (48, 50, 49)
    assert made.offset_nm == source.offset_nm == (24, 40, 56)
    source.prepare(source.shape)
    whole = tuple(slice(0, extent) for extent in source.shape)
    for y in (slice(0, 32), slice(32, 50)):
        source.predict((whole[0], y, whole[2]))
    assert np.abs(source.read(whole).astype(int) - made.read(whole)).max() <= 1
    assert not source.read(whole)[:, :, :15].any()
    assert source.read(whole)[:, :, 15:].any()
    tissue = open_tissue([{"image": str(cube), **BOX}], intensity=open_model(BUNDLE).intensity)[0]
    model = open_model(BUNDLE, device="cpu", precision="fp32")
    logits = StreamingInferer(window or model.window, 4, overlap=0)(tissue.read_whole()["image"][None], model.predict)
    expected = 255 * logits[0, :, :, 15:, :33].sigmoid().numpy()
    assert np.abs(made.read(whole)[:, :, 15:, :33] - expected).max() <= 1


@pytest.mark.parametrize("orientations", ["in_plane", "isotropic"])
def test_orientations_are_those_of_a_prediction_at_once_and_by_blocks(
    run, config, cube, tmp_path, monkeypatch, orientations
):
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, 9, 3, padding=1).requires_grad_(False)
    monkeypatch.setattr(
        "sectome.inference.trained_model.AutocastInferer", lambda *_: lambda windows, _: network(windows)
    )
    box = {"sections": [0, 12], "rows": [4, 34], "columns": [5, 35]}
    ranges = (text for name, (start, stop) in box.items() for text in (f"--{name}", f"{start},{stop}"))
    options = ("--bundle", BUNDLE, "--overlap", 0, "--device", "cpu", *ranges)
    for choice in ("one", orientations):
        code, _, err = run("predict", cube, tmp_path / f"{choice}.zarr", *options, "--orientations", choice)
        assert code == 0, err
    source = read_config(config(**box, mask=None, orientations=orientations)).plan().source
    source.prepare(source.shape)
    whole = tuple(slice(0, extent) for extent in source.shape)
    source.predict(whole)
    one, turned = (StoredAffinities(tmp_path / f"{choice}.zarr").read(whole) for choice in ("one", orientations))
    assert np.abs(source.read(whole).astype(int) - turned).max() <= 1
    assert np.abs(turned.astype(int) - one).max() > 10


def test_orientations_that_do_not_suit_are_refused_before_anything_is_written(run, config, cube, tmp_path):
    for choice, voxel_size_nm, message in (
        (
            "isotropic",
            [30, 8, 8],
            "must have the same length along the axes that orientations 'isotropic' exchanges, got (30.0, 8",
        ),
        ("all", [8, 8, 8], "orientations must be one of 'one', 'flips', 'in_plane', 'isotropic', got 'all'"),
    ):
        write_volume(tmp_path / "tissue.tif", open_volume(cube), voxel_size_nm=voxel_size_nm)
        options = ("--bundle", BUNDLE, "--orientations", choice)
        commands = (
            ("predict", tmp_path / "tissue.tif", tmp_path / "a.zarr", *options),
            ("segment-volume", "--config", config(volume=str(tmp_path / "tissue.tif"), orientations=choice)),
        )
        for command in commands:
            code, _, err = run(*command)
            assert code == 2
            assert message in err.replace("\n", " ")
    # A model whose windows are no cubes.
    shutil.copyfile(BUNDLE / "models/model.pt", tmp_path / "flat.pt")
    trained = json.loads((BUNDLE / "models/model.json").read_text()) | {"crop_size": [24, 48, 48]}
    (tmp_path / "flat.json").write_text(json.dumps(trained))
    options = ("--bundle", BUNDLE, "--checkpoint", tmp_path / "flat.pt", "--orientations", "isotropic")
    code, _, err = run("predict", cube, tmp_path / "a.zarr", *options)
    assert code == 2
    assert "windows must have the same length along the axes" in err.replace("\n", " ")
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".json", ".tif", ".pt")]


def test_labels_of_a_box_lie_there_and_say_which_image_they_are_of(run, config, cube, tmp_path):
    raw = tmp_path / "images" / "raw.ome.zarr"
    write_volume(raw, open_volume(cube), offset_nm=(80, 0, 8))
    # A folder that is a link to a deeper one.
    (tmp_path / "disk" / "user").mkdir(parents=True)
    (tmp_path / "scratch").symlink_to(tmp_path / "disk" / "user")
    out = tmp_path / "scratch" / "out.ome.zarr"
    code, _, err = run("segment-volume", "--config", config(volume=f"{raw}", output=f"{out}"))
    assert code == 0, err
    said = json.loads((out / "zarr.json").read_text())["attributes"]["ome"]
    assert said["image-label"] == {"source": {"image": "../../../images/raw.ome.zarr"}}
    assert (out / said["image-label"]["source"]["image"]).samefile(raw)
    assert open_volume(out).offset_nm == (104, 40, 64)
    assert open_volume(out).shape == (48, 50, 49)


def test_a_run_of_another_box_or_one_that_can_not_be_is_refused(run, config, tmp_path):
    plan = read_config(config()).plan()
    plan.folder.keep_plan(plan.description())
    for changes, message in (
        ({"rows": [6, 56]}, "was begun with input rows [5, 55], got [6, 56]: continue with the same"),
        ({"window": [48, 48, 32]}, "was begun with input window [48, 48, 48], got [48, 48, 32]: continue with"),
        ({"orientations": "flips"}, "was begun with input orientations 'one', got 'flips': continue with the same"),
        ({"columns": [7, 57]}, "columns must lie within 0 and 56, got [7, 57]"),
        ({"volume": None, "affinities": "a.zarr"}, "sections must be given with a volume only, got it with affinities"),
    ):
        code, _, err = run("segment-volume", "--config", config(**changes))
        assert code == 2
        assert message in err.replace("\n", " ")
        assert not (tmp_path / "out.ome.zarr").exists()


def test_a_run_whose_mask_has_other_voxels_by_now_is_refused(run, config, tmp_path):
    mask = tmp_path / "own.tif"
    write_volume(mask, np.ones((52, 56, 56), np.uint8), voxel_size_nm=(8, 8, 8))
    plan = read_config(config(mask=str(mask))).plan()
    plan.folder.keep_plan(plan.description())
    write_volume(mask, np.zeros((52, 56, 56), np.uint8), voxel_size_nm=(8, 8, 8))
    code, _, err = run("segment-volume", "--config", config(mask=str(mask)))
    assert code == 2
    assert "was begun with input mask sample" in err


def test_a_run_whose_model_takes_other_grey_values_by_now_is_refused(run, config, tmp_path):
    model = tmp_path / "own.pt"
    for suffix in (".pt", ".json"):
        shutil.copyfile(BUNDLE / f"models/model{suffix}", model.with_suffix(suffix))
    plan = read_config(config(checkpoint=str(model))).plan()
    plan.folder.keep_plan(plan.description())
    trained = json.loads(model.with_suffix(".json").read_text())
    model.with_suffix(".json").write_text(json.dumps(trained | {"intensity": describe(PercentileIntensity())}))
    code, _, err = run("segment-volume", "--config", config(checkpoint=str(model)))
    assert code == 2
    assert "was begun with input model settings_sha256" in err
    assert not (tmp_path / "out.ome.zarr").exists()


def test_what_it_cannot_use_is_said_in_a_sentence(run, cube, tmp_path):
    code, _, err = run("predict", cube, tmp_path / "a.zarr", "--bundle", tmp_path)
    assert code == 2
    assert "expected the root of a bundle" in err
    code, _, err = run("predict", cube, tmp_path / "a.zarr", "--bundle", BUNDLE, "--checkpoint", tmp_path / "no.pt")
    assert code == 2
    assert "expected a trained model at" in err
    for name, given, message in (
        ("rows", "9,9", "rows must lie within 0 and 56, got [9, 9]"),
        ("columns", "50,57", "columns must lie within 0 and 56, got [50, 57]"),
        ("rows", "3", "rows must be two whole numbers [start, stop], got 3"),
        ("window", "48,20,48", "window must be a multiple of the patch, got 20 voxels and a patch of 8 along y"),
        ("window", "48", "window must be three whole numbers of at least 1 (z, y, x), got 48"),
        ("sections", "0", "sections must be two whole numbers [start, stop], got 0"),
        ("columns", "1,2,3", "columns must be two whole numbers [start, stop], got (1, 2, 3)"),
    ):
        code, _, err = run("predict", cube, tmp_path / "a.zarr", "--bundle", BUNDLE, f"--{name}", given)
        assert code == 2
        assert message in err.replace("\n", " ")
    for options, message in (
        (("--bundle", BUNDLE, "--device", "gpu"), "device must be one that this machine has"),
        (("--bundle", BUNDLE, "--device", "cuda:99"), "got 'cuda:99'"),
        (("--bundle", BUNDLE.with_name("mae_pretrain")), "expected a bundle of em_segmentation at"),
    ):
        code, _, err = run("predict", cube, tmp_path / "a.zarr", *options)
        assert code == 2
        assert message in err.replace("\n", " ")
    code, _, err = run("predict", cube, tmp_path / "a.tif", "--bundle", BUNDLE, "--device", "cpu")
    assert code == 2
    assert "a folder that ends in .zarr" in err
    assert not list(tmp_path.iterdir())
