"""Overlays of the tissue in SECTOME_DATA: in both bundles each volume opens, and gives a crop with labels."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from sectome.crops import GridCrops
from tiny_networks import BUNDLES, TINY

DATA = Path(os.environ.get("SECTOME_DATA", ""))
FOLDERS = {
    "fib25_medulla": "fib25_medulla",
    "fib25_medulla_anisotropic": "fib25_medulla",
    "lucchi_pp_mito": "lucchi_pp_mito",
    "vnc_ssTEM": "vnc_ssTEM",
}
VOXELS = {"fib25_medulla": (8, 8, 8), "fib25_medulla_anisotropic": (32, 8, 8), "lucchi_pp_mito": (5, 5, 5)}

pytestmark = pytest.mark.real_data


@pytest.fixture(params=sorted(TINY))
def bundle(request):
    return request.param


@pytest.fixture(params=sorted(FOLDERS))
def name(request):
    if not (DATA / FOLDERS[request.param]).is_dir():
        pytest.skip(f"SECTOME_DATA names no folder with {FOLDERS[request.param]}")
    return request.param


@pytest.fixture
def parser(bundle, name):
    configs = BUNDLES / bundle / "configs"
    parser = ConfigParser()
    parser.read_config([str(configs / "train.json"), str(configs / "datasets" / f"{name}.json")])
    parser["imports"] = [line for line in parser["imports"] if "scripts" not in line]
    return parser


def test_each_volume_gives_a_crop(bundle, name, parser):
    labelled = bundle == "em_segmentation"
    for key in ["train_data", "val_data"] + ["test_data"] * labelled:
        data = parser.get_parsed_content(key)
        size = parser.get_parsed_content("crop_size")
        crops = GridCrops(
            data, size, voxel_size_nm=parser.get_parsed_content("voxel_size_nm"), labelled=labelled, limit=1
        )
        assert all(tissue.shape[0] >= size[0] for tissue in crops.tissue)
        assert {tissue.voxel_size_nm for tissue in crops.tissue} == {VOXELS.get(name, (50, 4.6, 4.6))}
        crop = crops[0]
        assert crop["image"].shape == (1, *size)
        if labelled:
            assert (crop["label"] >= 0).all()


def test_no_section_is_trained_on_and_scored(bundle, name, parser):
    def sections(key):
        return {
            (entry["image"], z)
            for entry in parser.get_parsed_content(key)
            for z in range(*entry.get("sections", (0, 999)))
        }

    assert not sections("train_data") & sections("val_data")
    if bundle == "em_segmentation":
        assert not sections("train_data") & sections("test_data")


def test_membranes_of_serial_sections_have_offsets_within_sections_only():
    content = json.loads((BUNDLES / "em_segmentation/configs/datasets/vnc_ssTEM.json").read_text())
    assert [offset for offset in content["offsets"] if offset[0]] == [[-1, 0, 0]]
    assert content["per_section"]
