"""`sectome dataset`: overlays for volumes of one's own."""

from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.commands import dataset
from sectome.phantom import make_phantom
from sectome.tissue import dataset_overlays, open_tissue
from sectome.volumes import write_volume
from tiny_networks import BUNDLES

SIZE = (30, 6, 6)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom((20, 64, 64), SIZE, 0)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write an array into the working directory and return its relative path."""
    monkeypatch.chdir(tmp_path)

    def write(name, array, voxel_size_nm=SIZE, **options):
        write_volume(name, array, voxel_size_nm=voxel_size_nm, **options)
        return name

    return write


@pytest.fixture
def volumes(write, phantom):
    return write("raw.tif", phantom.raw), write("neurons.h5:ids", phantom.neurons)


def test_the_last_fifth_of_the_labelled_sections_validates(volumes, tmp_path):
    image, label = volumes
    found = dataset_overlays([image], [label])
    pair = {"image": f"{tmp_path}/raw.tif", "label": f"{tmp_path}/neurons.h5:ids"}
    assert found.segmentation == {
        "isotropic": False,
        "crop_size": (16, 64, 64),
        "patch_size": (4, 16, 16),
        "offsets": "$neighbourhoods.LONG_RANGE",
        "train_data": [pair | {"sections": [0, 16]}],
        "val_data": [pair | {"sections": [16, 20]}],
        "test_data": "@val_data",
    }
    assert found.pretraining == {
        "isotropic": False,
        "crop_size": (16, 64, 64),
        "patch_size": (4, 16, 16),
        "train_data": [{"image": pair["image"], "sections": [0, 16], "weight": 0.0655}],
        "val_data": [{"image": pair["image"], "sections": [16, 20]}],
    }
    assert found.reasons == {
        "patch_size": "120 x 96 x 96 nm",
        "crop_size": "480 x 384 x 384 nm, 64 patches",
        "isotropic": "voxels of 30 x 6 x 6 nm",
    }


def test_entries_can_be_opened(volumes):
    found = dataset_overlays([volumes[0]], [volumes[1]], [volumes[0]])
    for overlay in (found.pretraining, found.segmentation):
        for key in ("train_data", "val_data"):
            open_tissue(overlay[key])


def test_unlabelled_volumes_are_trained_on_whole_beside_labelled_ones(volumes, write, phantom):
    more = write("more.tif", phantom.raw)
    found = dataset_overlays([volumes[0]], [volumes[1]], [more])
    first, second = found.pretraining["train_data"]
    assert (first["sections"], first["weight"]) == ([0, 16], 0.0655)
    assert "sections" not in second
    assert second["weight"] == 0.0819
    assert len(found.pretraining["val_data"]) == len(found.segmentation["train_data"]) == 1


def test_without_labels_there_is_only_a_pre_training(volumes):
    found = dataset_overlays(unlabelled=[volumes[0]])
    assert found.segmentation is None
    assert [entry["sections"] for entry in found.pretraining["train_data"]] == [[0, 16]]
    assert [entry["sections"] for entry in found.pretraining["val_data"]] == [[16, 20]]


def test_no_more_than_100_sections_validate(write):
    image = write("deep.zarr", np.random.default_rng(0).integers(1, 255, (600, 16, 16), np.uint8))
    assert dataset_overlays(unlabelled=[image]).pretraining["val_data"][0]["sections"] == [500, 600]


def test_a_small_labelled_cube_leaves_the_rest_of_its_image_to_the_pre_training(write, phantom):
    image = write("raw.tif", phantom.raw)
    label = write("cube.h5:ids", phantom.neurons[4:14, 8:40, 8:40], offset_nm=(120, 48, 48))
    found = dataset_overlays([image], [label])
    assert [entry["sections"] for entry in found.segmentation["train_data"]] == [[4, 12]]
    assert [entry["sections"] for entry in found.segmentation["val_data"]] == [[12, 14]]
    assert [entry["sections"] for entry in found.pretraining["train_data"]] == [[0, 12], [14, 20]]
    assert [entry["sections"] for entry in found.pretraining["val_data"]] == [[12, 14]]
    assert found.segmentation["crop_size"] == (8, 32, 32)


def test_no_section_that_validates_is_trained_on_if_an_image_is_given_several_times(write, phantom):
    image = write("raw.tif", phantom.raw)
    cubes = [
        write(f"cube.h5:{first}", phantom.neurons[first : first + 8], offset_nm=(first * 30, 0, 0)) for first in (11, 1)
    ]
    found = dataset_overlays([image, image], cubes, [image])
    assert [entry["sections"] for entry in found.segmentation["val_data"]] == [[18, 19], [8, 9]]
    assert [entry["sections"] for entry in found.pretraining["train_data"]] == [[0, 8], [9, 18], [19, 20]]


def test_pyramids_are_read_at_the_level_of_the_labelled_image(volumes, write, phantom):
    fine = write("fine.ome.zarr", np.repeat(np.repeat(phantom.raw, 2, 1), 2, 2), (30, 3, 3))
    found = dataset_overlays([volumes[0]], [volumes[1]], [fine])
    first, second = found.pretraining["train_data"]
    assert "near_voxel_size_nm" not in first
    assert second["near_voxel_size_nm"] == [30, 6, 6]
    assert dataset_overlays(unlabelled=[fine]).reasons["isotropic"] == "voxels of 30 x 3 x 3 nm"
    coarse = dataset_overlays(unlabelled=[fine], near_voxel_size_nm=SIZE)
    assert coarse.reasons["isotropic"] == "voxels of 30 x 6 x 6 nm"


def test_a_voxel_size_that_no_file_states_goes_into_the_overlays(write, phantom):
    write_volume("raw.npy", phantom.raw)
    write_volume("ids.npy", phantom.neurons)
    with pytest.raises(InputError, match="voxel"):
        dataset_overlays(["raw.npy"], ["ids.npy"])
    found = dataset_overlays(["raw.npy"], ["ids.npy"], voxel_size_nm=(8, 8, 8))
    for overlay in (found.pretraining, found.segmentation):
        assert (overlay["voxel_size_nm"], overlay["isotropic"]) == ([8, 8, 8], True)
    assert found.segmentation["offsets"] == "$neighbourhoods.ISOTROPIC"


def test_labels_that_touch_are_eroded(write, phantom):
    cells = np.arange(64)[None, None] // 16 + 4 * (np.arange(64)[None, :, None] // 16) + 1
    label = write("cells.h5:ids", np.broadcast_to(cells, phantom.raw.shape).astype(np.uint16))
    image = write("raw.tif", phantom.raw)
    found = dataset_overlays([image], [label])
    assert found.segmentation["erode_steps"] == 1
    assert "touch" in found.reasons["erode_steps"]
    assert "erode_steps" not in dataset_overlays([image], [label], labelled="mitochondria").segmentation


def test_membranes_separate_cells_within_sections(write, phantom):
    image, membrane = write("raw.tif", phantom.raw), write("membrane.tif", (phantom.neurons == 0).astype(np.uint8))
    found = dataset_overlays([image], [membrane], labelled="membranes", voxel_size_nm=None)
    [entry] = found.segmentation["train_data"]
    assert set(entry) == {"image", "membrane", "sections"}
    assert set(found.pretraining["train_data"][0]) == {"image", "sections", "weight"}
    assert found.segmentation["per_section"] is True
    vnc = json.loads((BUNDLES / "em_segmentation/configs/datasets/vnc_ssTEM.json").read_text())
    assert list(map(list, found.segmentation["offsets"])) == vnc["offsets"]
    open_tissue(found.segmentation["val_data"], labelled=True)


def test_padding_is_avoided(write, phantom):
    padded = phantom.raw.copy()
    padded[:, :, :16] = 0
    found = dataset_overlays([write("raw.tif", padded)], [write("ids.tif", phantom.neurons)])
    assert found.pretraining["max_empty"] == found.segmentation["max_empty"] == 0.2
    assert found.reasons["max_empty"] == "25% of a volume is 0"


def test_offsets_that_reach_beyond_a_thin_crop_are_left_out(write, phantom):
    image, label = (write(name, array[:3]) for name, array in (("a.tif", phantom.raw), ("b.tif", phantom.neurons)))
    found = dataset_overlays([image], [label], voxel_size_nm=None)
    assert found.segmentation["crop_size"] == (4, 64, 64)
    assert (-4, 0, 0) not in found.segmentation["offsets"]


def test_doubtful_labels_are_warned_of(write, phantom):
    image, mask = write("raw.tif", phantom.raw), write("mask.tif", (phantom.neurons > 0).astype(np.uint8))
    with pytest.warns(UserWarning, match="all objects have the id 1"):
        dataset_overlays([image], [mask])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "must have images with labels, or unlabelled volumes, got none"),
        ({"images": ["raw.tif"]}, "images and labels must be as many as each other, got 1 and 0"),
        ({"images": ["raw.tif"], "labels": ["one.tif"]}, "shape"),
        ({"images": ["raw.tif"], "labels": ["raw.tif"], "labelled": "cells"}, "labelled must be one of 'neurons', "),
        ({"images": ["one.tif"], "labels": ["one.tif"]}, "two sections or more, got one"),
        ({"unlabelled": ["nothing.tif"]}, "nothing.tif"),
    ],
)
def test_what_cannot_be_described_is_refused(volumes, write, phantom, arguments, message):
    write("one.tif", phantom.neurons[:1])
    with pytest.raises(InputError, match=message):
        dataset_overlays(**arguments)


@pytest.fixture
def bundles(tmp_path):
    shutil.copytree(BUNDLES, tmp_path / "bundles", ignore=shutil.ignore_patterns("__pycache__", "models", "data"))
    return tmp_path / "bundles"


def test_the_command_writes_both_overlays_and_prints_what_to_run(volumes, bundles, capsys):
    dataset("mine", [volumes[0]], [volumes[1]])
    found = dataset_overlays([volumes[0]], [volumes[1]])
    for bundle, content in (("mae_pretrain", found.pretraining), ("em_segmentation", found.segmentation)):
        written = json.loads((bundles / bundle / "configs/datasets/mine.json").read_text())
        assert written == json.loads(json.dumps(content))
    said = capsys.readouterr().out
    assert "patch_size [4, 16, 16]: 120 x 96 x 96 nm\n" in said
    assert f"validation: sections 16 to 20 of {bundles.parent}/raw.tif\n" in said
    assert "\"['configs/train.json','configs/datasets/mine.json']\" --output_dir runs/mine" in said


def test_the_command_names_the_target_of_mitochondria(volumes, bundles, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset("mine", [volumes[0]], [volumes[1]], labelled="mitochondria")
    assert "'configs/datasets/mine.json','configs/targets/boundary_contour.json'" in capsys.readouterr().out


def test_an_overlay_that_exists_stays(volumes, bundles):
    before = (bundles / "em_segmentation/configs/datasets/phantom.json").read_text()
    with pytest.raises(InputError, match="expected a new name, got 'phantom'"):
        dataset("phantom", [volumes[0]], [volumes[1]])
    assert (bundles / "em_segmentation/configs/datasets/phantom.json").read_text() == before
    with pytest.raises(InputError, match="name must be made of letters"):
        dataset("a/b", [volumes[0]], [volumes[1]])


def test_nothing_is_written_for_volumes_that_do_not_belong_together(volumes, bundles, write, phantom):
    label = write("half.tif", phantom.neurons[:, :32])
    with pytest.raises(InputError):
        dataset("mine", [volumes[0]], [label])
    assert not list(bundles.glob("*/configs/datasets/mine.json"))
