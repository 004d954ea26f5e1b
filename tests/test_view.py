"""`sectome view`: what Neuroglancer gets of volumes, and what a person sees."""

from __future__ import annotations

import gc
import io
import socket
import subprocess
import sys
import time
import zlib
from urllib.request import urlopen

import numpy as np
import pytest
from neuroglancer.local_volume import MeshesNotSupportedForVolume
from PIL import Image

from browser import needs_browser, start_browser
from sectome import shown_volumes
from sectome.affinity_file import new_affinities
from sectome.commands import view
from sectome.map_file import MAPS
from sectome.phantom import make_phantom
from sectome.shown_volumes import ShownVolume, open_shown, show_volumes
from sectome.volumes import open_volume, write_volume

SIZE = (30, 6, 6)


def shown(volume, scale="1,1,1"):
    """Return all voxels at a scale, as the viewer gets them."""
    factors = [int(factor) for factor in scale.split(",")]
    end = [-(-extent // factor) for extent, factor in zip(volume.shape, factors, strict=True)]
    encoded, _ = volume.get_encoded_subvolume("npz", np.zeros(3, int), np.array(end), scale)
    return np.load(io.BytesIO(zlib.decompress(encoded)))


@pytest.fixture
def pyramid(tmp_path):
    """Return a function that writes voxels as an OME-Zarr and opens it."""

    def write(voxels, name="a.ome.zarr", **placed):
        write_volume(tmp_path / name, voxels, **{"voxel_size_nm": SIZE, **placed})
        return open_volume(tmp_path / name)

    return write


def test_what_is_coarse_comes_from_the_levels_of_a_pyramid(pyramid, tmp_path):
    volume = pyramid(make_phantom((12, 200, 330), SIZE, seed=0).neurons)
    assert [level.shape for level in volume.levels][1:] == [(12, 100, 165), (12, 50, 83), (6, 25, 42)]
    served = ShownVolume(volume, labels=True)
    for level, scale in enumerate(["1,1,1", "1,2,2", "1,4,4", "2,8,8"]):
        np.testing.assert_array_equal(shown(served, scale), open_volume(tmp_path / f"a.ome.zarr:{level}")[...])
    np.testing.assert_array_equal(shown(served, "4,16,8"), open_volume(tmp_path / "a.ome.zarr:3")[::2, ::2])
    np.testing.assert_array_equal(shown(served, "2,1,1"), volume[::2])


def test_a_level_that_begins_before_its_volume_is_not_shown_in_its_place(pyramid):
    voxels = np.arange(5 * 99 * 201, dtype=np.float32).reshape(5, 99, 201)
    for x_nm in (6, 12):
        volume = pyramid(voxels, "a.precomputed", offset_nm=(30, 12, x_nm))
        assert volume.levels[1].shape == (5, 50, 101)
        found = shown(ShownVolume(volume, labels=False), "1,2,2")
        np.testing.assert_array_equal(found[0, 0, :2], voxels[0, :2, :4].reshape(2, 2, 2).mean((0, 2)))


def test_what_has_no_pyramid_is_made_coarser_on_the_way(tmp_path):
    labels = make_phantom((8, 64, 64), SIZE, seed=0).neurons
    write_volume(tmp_path / "a.tif", labels, voxel_size_nm=SIZE)
    np.testing.assert_array_equal(
        shown(ShownVolume(open_volume(tmp_path / "a.tif"), True), "1,2,2"), labels[:, ::2, ::2]
    )


@pytest.mark.parametrize(
    ("stored", "labels", "seen"),
    [
        ("int64", True, "uint64"),
        ("int32", True, "uint32"),
        ("uint8", True, "uint8"),
        ("int16", False, "int16"),
        ("int64", False, "float32"),
        ("float64", False, "float32"),
        ("float16", False, "float32"),
    ],
)
def test_the_viewer_gets_types_that_it_knows(tmp_path, stored, labels, seen):
    voxels = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(stored)
    np.save(tmp_path / "a.npy", voxels)
    volume = ShownVolume(open_volume(tmp_path / "a.npy", voxel_size_nm=SIZE), labels)
    assert volume.info()["dataType"] == seen
    assert shown(volume).dtype == seen
    np.testing.assert_array_equal(shown(volume), voxels)


def test_an_image_of_nothing_is_shown(tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 3, 4), np.nan))
    volume = open_volume(tmp_path / "a.npy", voxel_size_nm=SIZE)
    (layer,) = show_volumes({"a": volume}).state.layers
    assert list(layer.layer.shader_controls["normalized"].range) == [0, 1]


def test_a_boolean_mask_is_shown_in_black_and_white(tmp_path):
    mask = np.zeros((2, 3, 4), bool)
    mask[:, 1:] = True
    np.save(tmp_path / "mask.npy", mask)
    volume = open_volume(tmp_path / "mask.npy", voxel_size_nm=SIZE)
    (layer,) = show_volumes({"mask": volume}).state.layers
    assert list(layer.layer.shader_controls["normalized"].range) == [0, 1]
    np.testing.assert_array_equal(shown(ShownVolume(volume, volume.looks_like_labels())), mask)


def test_what_nobody_labelled_has_no_colour(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[[-1, 0, 5]]]))
    assert shown(ShownVolume(open_volume(tmp_path / "a.npy", voxel_size_nm=SIZE), True)).tolist() == [[[0, 0, 5]]]
    np.save(tmp_path / "cremi.npy", np.array([[[2**64 - 1, 2**63, 2**63 - 1]]], np.uint64))
    volume = open_volume(tmp_path / "cremi.npy", voxel_size_nm=SIZE)
    assert shown(ShownVolume(volume, True)).tolist() == [[[0, 0, 2**63 - 1]]]


def test_each_layer_lies_where_its_file_says(pyramid):
    tissue = make_phantom((16, 64, 64), SIZE, seed=0)
    image = pyramid(tissue.raw, "image.ome.zarr", offset_nm=(300, 60, 0))
    labels = pyramid(tissue.neurons[2:9, 10:50, 5:60], "labels.ome.zarr", offset_nm=(360, 120, 33))
    viewer = show_volumes({"image": image, "labels": labels})
    state = viewer.state
    assert [layer.layer.type for layer in state.layers] == ["image", "segmentation"]
    assert state.dimensions.to_json() == {
        axis: [pytest.approx(length * 1e-9), "m"] for axis, length in zip("xyz", SIZE[::-1], strict=True)
    }
    assert state.position.tolist() == [32, 10 + 32, 10 + 8]
    moved = [layer.layer.source[0].transform.matrix[:, 3].tolist() for layer in state.layers]
    assert moved == [[10, 10, 0], [12, 20, 5.5]]
    low, high = state.layers["image"].layer.shader_controls["normalized"].range
    assert 0 < low < np.median(tissue.raw) < high < 256


@pytest.mark.parametrize(
    ("channels", "dtype", "seen"),
    [(((-1, 0, 0), (0, -1, 0), (0, 0, -1)), "uint8", "uint8"), (MAPS[:2], "float16", "float32")],
)
def test_what_was_predicted_is_red_green_and_blue(tmp_path, channels, dtype, seen):
    array = np.random.default_rng(0).integers(0, 2, (len(channels), 6, 20, 30)).astype(dtype)
    settings = {"box": array.shape, "dtype": dtype, "offset_nm": (60, 0, 12)}
    with new_affinities(tmp_path / "a.zarr", array.shape, channels, SIZE, **settings) as store:
        store[...] = array
    opened = open_shown(str(tmp_path / "a.zarr"))
    viewer = show_volumes({"predicted": opened})
    (source,) = viewer.state.layers["predicted"].layer.source
    assert source.transform.matrix[:, 4].tolist() == [0, 2, 0, 2]
    (volume,) = viewer.volume_manager.volumes.values()
    encoded, _ = volume.get_encoded_subvolume("npz", np.zeros(4, int), np.array(array.shape), "1,1,1,1")
    voxels = np.load(io.BytesIO(zlib.decompress(encoded)))
    assert volume.info()["dataType"] == voxels.dtype == seen
    np.testing.assert_array_equal(voxels, array)


def test_a_segment_has_a_surface_unless_the_volume_is_too_large(pyramid, monkeypatch):
    labels = np.zeros((8, 30, 30), np.uint32)
    labels[2:6, 5:25, 5:25] = 3
    volume = ShownVolume(pyramid(labels), labels=True)
    mesh = volume.get_object_mesh(3)
    corners = np.frombuffer(mesh, "<f4", 3 * int(np.frombuffer(mesh, "<u4", 1)[0]), offset=4).reshape(-1, 3)
    faces = [corners.min(0), corners.max(0)] / (1e-9 * np.array(SIZE))
    np.testing.assert_allclose(faces, [(2, 5, 5), (6, 25, 25)], atol=1e-4)
    monkeypatch.setattr(shown_volumes, "MESH_VOXELS", labels.size - 1)
    with pytest.raises(MeshesNotSupportedForVolume):
        volume.get_object_mesh(3)


def test_bad_input_is_one_sentence(run, tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4), np.uint8))
    assert run("view") == (2, "", "error: expected a volume to view, got none\n")
    code, _, err = run("view", tmp_path / "a.npy", "--browser", "false")
    assert (code, err) == (2, f"error: no voxel size in {tmp_path}/a.npy: give --voxel_size_nm z,y,x in nm\n")
    for port in ("99999", "-1", "'a'", "1.5"):
        code, _, err = run("view", tmp_path / "a.npy", "--voxel_size_nm", "30,6,6", "--port", port)
        assert (code, err) == (2, f"error: port must be a whole number from 0 to 65535, got {port}\n")
    monkeypatch.setattr("sectome.checks.find_spec", lambda name: None)
    code, _, err = run("view", tmp_path / "a.npy", "--voxel_size_nm", "30,6,6")
    assert (code, err) == (
        2,
        "error: viewing needs neuroglancer, which is not installed: pip install 'sectome[view]'\n",
    )


@pytest.mark.slow
def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 4), np.uint8))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["view", tmp_path / "a.npy", "--voxel_size_nm", "30,6,6", "--port", str(port)]
        # In a process of its own: the server leaves its socket behind.
        done = subprocess.run([sys.executable, "-m", "sectome.cli", *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"error: bind and port must be an address and a port to serve at, got 127.0.0.1 and {port}: "
    )
    assert done.stderr.count("\n") == 1


@pytest.fixture
def page(tmp_path):
    """Return the link that `sectome view` prints of tissue and its labels; at the end it is told to stop."""
    tissue = make_phantom((24, 96, 96), SIZE, seed=0)
    for name, voxels in {"image.tif": tissue.raw, "labels.tif": tissue.neurons}.items():
        write_volume(tmp_path / name, voxels, voxel_size_nm=SIZE)
    words = ["view", tmp_path / "image.tif", tmp_path / "labels.tif", "--browser", "false"]
    with subprocess.Popen([sys.executable, "-m", "sectome.cli", *words], stdout=subprocess.PIPE, text=True) as process:
        link = process.stdout.readline().strip()
        # Read before it is told to stop, which may come in the midst of this line.
        assert process.stdout.readline() == "Press Ctrl-C to end\n"
        yield link
        # As Ctrl-C does, which a process that runs in the background may not hear.
        process.terminate()
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == "closed\n"


def test_the_page_is_there_when_memory_has_been_tidied(tmp_path, monkeypatch, capsys):
    answers = []

    class TidiedOnce:
        """An event that never comes: the page is asked for, then the user ends it."""

        def wait(self):
            gc.collect()
            with urlopen(capsys.readouterr().out.split()[0]) as answer:
                answers.append(answer.status)
            raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["sectome.commands.view"], "Event", TidiedOnce)
    write_volume(tmp_path / "a.tif", np.zeros((4, 5, 6), np.uint8), voxel_size_nm=SIZE)
    view(str(tmp_path / "a.tif"), browser=False)
    assert answers == [200]


@pytest.mark.slow
def test_it_serves_a_page_until_it_is_stopped(page):
    with urlopen(page) as answer:
        assert answer.status == 200
        assert b"<html" in answer.read().lower()


@pytest.mark.slow
@needs_browser
def test_a_person_sees_grey_tissue_and_coloured_neurons(page):
    browser = start_browser("enable-unsafe-swiftshader", "window-size=800,700")
    try:
        browser.get(page)
        deadline = time.monotonic() + 120
        while (colours := colours_of(browser.get_screenshot_as_png())) < 20 and time.monotonic() < deadline:
            time.sleep(1)
        assert colours >= 20
        assert [one.text for one in browser.find_elements("class name", "neuroglancer-layer-item-label")] == [
            "image.tif",
            "labels.tif",
        ]
    finally:
        browser.quit()


def colours_of(png):
    """Return how many hues the middle of the upper left panel has: neurons are coloured, tissue and page are grey."""
    hue, saturation, _ = np.moveaxis(np.asarray(Image.open(io.BytesIO(png)).convert("HSV"))[100:300, 100:300], -1, 0)
    return len(np.unique(hue[saturation > 60]))
