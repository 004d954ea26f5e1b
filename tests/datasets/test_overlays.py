"""Each set has an overlay in both bundles that sets known keys and finds its volumes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from sectome.datasets import ALL_SETS
from tiny_networks import BUNDLES, TINY

BUNDLE_NAMES = sorted(TINY)


def parsed(bundle: str, name: str, folder: Path) -> ConfigParser:
    configs = BUNDLES / bundle / "configs"
    parser = ConfigParser()
    parser.read_config([str(configs / "train.json"), str(configs / "datasets" / f"{name}.json")])
    # The paths and splits are looked at, not the bundle's code, which needs its own folder to be imported from.
    parser["imports"] = [line for line in parser["imports"] if "scripts" not in line]
    parser["dataset_dir"] = str(folder)
    return parser


def overlay(bundle: str, name: str) -> dict:
    return json.loads((BUNDLES / bundle / f"configs/datasets/{name}.json").read_text())


@pytest.mark.parametrize("bundle", BUNDLE_NAMES)
@pytest.mark.parametrize("name", sorted(ALL_SETS))
class TestOverlay:
    def test_its_keys_are_those_of_the_bundle(self, bundle, name):
        known = {}
        for config in ("train", "evaluate"):
            known |= json.loads((BUNDLES / bundle / f"configs/{config}.json").read_text())
        assert set(overlay(bundle, name)) <= set(known)

    def test_it_finds_the_volumes_of_the_table(self, bundle, name):
        public = ALL_SETS[name]
        images = {f"/data/{volume.path}": volume for volume in public.volumes if volume.ids is None}
        labels = {f"/data/{volume.path}": volume for volume in public.volumes if volume.ids is not None}
        parser = parsed(bundle, name, Path("/data"))
        assert tuple(parser.get_parsed_content("voxel_size_nm")) == public.voxel_size_nm
        lists = ["train_data", "val_data"] + ["test_data"] * (bundle == "em_segmentation")
        for key in lists:
            entries = parser.get_parsed_content(key)
            assert entries
            for entry in entries:
                image = images[entry["image"]]
                first, last = entry.get("sections", (0, image.shape[0]))
                assert 0 <= first < last <= image.shape[0]
                assert last - first >= parser.get_parsed_content("crop_size")[0]
                assert ("label" in entry) == (bundle == "em_segmentation")
                if "label" in entry:
                    assert labels[entry["label"]].shape == image.shape

    def test_nothing_is_both_trained_and_validated_on(self, bundle, name):
        parser = parsed(bundle, name, Path("/data"))
        sections: dict[str, list[set[tuple[str, int]]]] = {}
        for key in ("train_data", "val_data"):
            for entry in parser.get_parsed_content(key):
                first, last = entry.get("sections", (0, 2000))
                sections.setdefault(key, []).append({(entry["image"], z) for z in range(first, last)})
        assert not set.union(*sections["train_data"]) & set.union(*sections["val_data"])

    def test_by_default_it_looks_where_fetch_puts_the_set(self, bundle, name):
        assert overlay(bundle, name)["dataset_dir"] == f"$@bundle_root + '/data/{name}'"


@pytest.mark.parametrize("name", sorted(ALL_SETS))
def test_both_bundles_see_the_set_in_the_same_patches(name):
    shared = ("voxel_size_nm", "isotropic", "crop_size", "patch_size")
    first, second = (overlay(bundle, name) for bundle in BUNDLE_NAMES)
    assert [first.get(key) for key in shared] == [second.get(key) for key in shared]


@pytest.mark.parametrize("name", sorted(ALL_SETS))
def test_offsets_suit_the_voxels(name):
    offsets = parsed("em_segmentation", name, Path("/data")).get_parsed_content("offsets")
    z, y, x = ALL_SETS[name].voxel_size_nm
    longest = [max(-offset[axis] for offset in offsets) for axis in range(3)]
    assert longest[1] == longest[2]
    assert (longest[0] == longest[1]) == (z == y == x)
