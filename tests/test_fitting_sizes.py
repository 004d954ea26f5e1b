from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sectome.neighbourhoods import ISOTROPIC, LONG_RANGE, NEAREST
from sectome.tissue.fitting_sizes import fitting_sizes
from tiny_networks import BUNDLES

LARGE = (1000, 1000, 1000)
NM = st.floats(1, 100)


@pytest.mark.parametrize(
    ("dataset", "voxel_size_nm"),
    [
        ("fib25_medulla", (8, 8, 8)),
        ("fib25_medulla_anisotropic", (32, 8, 8)),
        ("vnc_ssTEM", (50, 4.6, 4.6)),
        ("lucchi_pp_mito", (5, 5, 5)),
    ],
)
def test_sizes_are_those_of_the_overlays_that_were_trained_on_real_tissue(dataset, voxel_size_nm):
    overlay = json.loads((BUNDLES / f"em_segmentation/configs/datasets/{dataset}.json").read_text())
    sizes = fitting_sizes(voxel_size_nm, LARGE)
    assert [list(sizes.patch_size), list(sizes.crop_size)] == [overlay["patch_size"], overlay["crop_size"]]
    assert sizes.isotropic is overlay["isotropic"]


def test_the_papers_voxels_get_the_default_patch():
    sizes = fitting_sizes((30, 6, 6), LARGE)
    assert (sizes.patch_size, sizes.crop_size) == ((4, 16, 16), (16, 128, 128))
    assert sizes.offsets == LONG_RANGE


def test_cubic_voxels_get_cubes():
    sizes = fitting_sizes((8, 9, 8), (1000, 30, 1000))
    assert (sizes.patch_size, sizes.crop_size, sizes.isotropic) == ((8, 8, 8), (24, 24, 24), True)
    assert sizes.offsets == ISOTROPIC


def test_a_crop_lies_within_the_smallest_volume_and_offsets_within_the_crop():
    sizes = fitting_sizes((30, 6, 6), (11, 70, 1000))
    assert sizes.crop_size == (8, 64, 128)
    assert fitting_sizes((50, 4.6, 4.6), (3, 300, 300)).crop_size == (3, 128, 128)
    offsets = fitting_sizes((50, 4.6, 4.6), (3, 300, 300)).offsets
    assert offsets == tuple(offset for offset in LONG_RANGE if offset[0] > -3)


def test_a_volume_thinner_than_a_patch_gets_one_patch():
    sizes = fitting_sizes((30, 6, 6), (2, 10, 10))
    assert sizes.crop_size == sizes.patch_size == (4, 16, 16)
    assert sizes.offsets[:3] == NEAREST


@given(st.tuples(NM, NM, NM), st.tuples(*[st.integers(1, 300)] * 3))
def test_sizes_are_what_networks_expect(voxel_size_nm, extent):
    sizes = fitting_sizes(voxel_size_nm, extent)
    assert sizes.offsets[: len(NEAREST)] == NEAREST
    for patch, crop, length in zip(sizes.patch_size, sizes.crop_size, extent, strict=True):
        assert patch & (patch - 1) == 0
        assert crop % patch == 0
        assert crop <= max(length, patch)
    if sizes.isotropic:
        assert len(set(sizes.crop_size)) == len(set(sizes.patch_size)) == 1


@pytest.mark.parametrize(
    "voxel_size_nm", [(8, 8, 8), (50, 2, 2), (200, 30, 30), (8, 4, 4), (6, 30, 30), (40, 4, 16), (30, 6, 6)]
)
def test_the_network_takes_the_sizes(segmentation_scripts, voxel_size_nm):
    sizes = fitting_sizes(voxel_size_nm, LARGE)
    network = segmentation_scripts.UNETR(
        sizes.patch_size, out_channels=len(sizes.offsets), hidden_size=12, depth=1, num_heads=1, feature_size=2
    )
    with torch.no_grad():
        logits = network(torch.zeros(1, 1, *sizes.crop_size))
    assert logits.shape == (1, len(sizes.offsets), *sizes.crop_size)
