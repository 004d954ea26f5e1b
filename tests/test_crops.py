"""Crops: read lazily, registered, weighted, reproducible, and clear about what does not fit."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from monai.transforms import Compose, RandGaussianNoised

from sectome.checks import InputError
from sectome.crops import GridCrops, RandomCrops, SampleNumbers, WholeVolumes, grid_starts
from sectome.tissue import UNLABELLED, find_volumes
from sectome.transforms import RandomOrientationd
from sectome.volumes import open_volume, write_volume

VOXEL_SIZE_NM = (30, 6, 6)


@pytest.fixture
def cube(tmp_path):
    """An image whose grey value is 2 x + 1 of its label, which is different in each voxel; (6, 8, 10)."""
    labels = np.arange(6 * 8 * 10, dtype=np.uint16).reshape(6, 8, 10)
    write_volume(tmp_path / "images/cube.tif", 2 * labels + 1, voxel_size_nm=VOXEL_SIZE_NM)
    write_volume(tmp_path / "labels/cube.tif", labels, voxel_size_nm=VOXEL_SIZE_NM)
    return {"image": str(tmp_path / "images/cube.tif"), "label": str(tmp_path / "labels/cube.tif")}


def raw(sample, dataset):
    """Undo the standardisation."""
    tissue = dataset.tissue[0]
    return (sample["image"].double() * tissue.deviation + tissue.mean).round().long()


def test_image_and_label_of_a_crop_are_the_same_voxels(cube):
    crops = RandomCrops([cube], (2, 4, 4), 20, RandomOrientationd(["image", "label"]), labelled=True)
    for number in range(20):
        sample = crops[number]
        assert sample["image"].shape == sample["label"].shape == (1, 2, 4, 4)
        assert torch.equal(raw(sample, crops), 2 * sample["label"] + 1)


def test_a_sample_depends_on_seed_and_number_alone(cube):
    transform = Compose([RandomOrientationd("image"), RandGaussianNoised("image", prob=0.5)])
    crops = RandomCrops([cube], (2, 4, 4), 4, transform, seed=1)
    forwards = [crops[number]["image"] for number in range(12)]
    backwards = [crops[number]["image"] for number in reversed(range(12))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(forwards, backwards, strict=True))
    assert not torch.equal(forwards[0], RandomCrops([cube], (2, 4, 4), 4, transform, seed=2)[0]["image"])


def test_workers_make_the_same_samples_as_the_main_process(cube):
    def first(workers):
        crops = RandomCrops([cube], (2, 4, 4), 4, RandomOrientationd("image"))
        # As the bundles' configs start them: zarr cannot be read after a fork.
        context = "forkserver" if workers else None
        loader = torch.utils.data.DataLoader(
            crops, 2, sampler=SampleNumbers(4), num_workers=workers, multiprocessing_context=context
        )
        return [batch["image"] for batch in itertools.islice(loader, 5)]

    assert all(torch.equal(a, b) for a, b in zip(first(0), first(2), strict=True))


def test_numbers_go_on_without_end_from_where_a_run_was_resumed():
    sampler = SampleNumbers(4)
    sampler.start = 6
    assert list(itertools.islice(sampler, 7)) == list(range(6, 13))
    assert len(sampler) == 4


def test_every_place_is_reached(cube):
    crops = RandomCrops([cube], (5, 7, 9), 1)
    corners = {int(raw(crops[number], crops).min()) for number in range(200)}
    assert corners == {2 * (z * 80 + y * 10 + x) + 1 for z in range(2) for y in range(2) for x in range(2)}


def test_sections_bound_the_crops(cube):
    crops = RandomCrops([{**cube, "sections": [2, 4]}], (2, 4, 4), 1, labelled=True)
    assert crops.tissue[0].name.endswith("images/cube.tif, sections 2 to 3")
    sections = {int(label) // 80 for number in range(30) for label in crops[number]["label"].flatten()}
    assert sections == {2, 3}


def test_volumes_are_drawn_by_weight(cube, tmp_path):
    write_volume(tmp_path / "other.tif", np.full((6, 8, 10), 5, np.uint16), voxel_size_nm=VOXEL_SIZE_NM)
    crops = RandomCrops([{**cube, "weight": 3}, {"image": str(tmp_path / "other.tif")}], (2, 2, 2), 1)
    other = sum(not crops[number]["image"].any() for number in range(800))
    assert 150 < other < 250


def test_voxels_outside_of_the_mask_are_unlabelled(cube, tmp_path):
    mask = np.zeros((6, 8, 10), np.uint8)
    mask[:, :, 5:] = 1
    write_volume(tmp_path / "mask.tif", mask, voxel_size_nm=VOXEL_SIZE_NM)
    label = WholeVolumes([{**cube, "mask": str(tmp_path / "mask.tif")}], labelled=True)[0]["label"][0]
    assert (label[:, :, :5] == UNLABELLED).all()
    assert (label[:, :, 5:] >= 0).all()


def test_a_grid_covers_the_volume_and_ends_at_its_border(cube):
    assert list(grid_starts((6, 8, 10), (6, 8, 4))) == [(0, 0, 0), (0, 0, 4), (0, 0, 6)]
    crops = GridCrops([cube], (4, 4, 4), labelled=True)
    seen = {int(label) for sample in crops for label in sample["label"].flatten()}
    assert seen == set(range(6 * 8 * 10))
    assert len(GridCrops([cube], (4, 4, 4), limit=3)) == 3


def test_a_crop_reads_only_its_own_voxels(cube, monkeypatch):
    volume = open_volume(cube["image"])
    crops = RandomCrops([{"image": volume}], (2, 4, 4), 1)
    sizes = []
    read = type(volume).__getitem__
    monkeypatch.setattr(
        type(volume), "__getitem__", lambda self, at: sizes.append(read(self, at).size) or read(self, at)
    )
    crops[0]
    assert sizes == [2 * 4 * 4]


def test_a_data_set_travels_to_a_worker(cube):
    crops = RandomCrops([cube], (2, 4, 4), 1, labelled=True)
    copy = pickle.loads(pickle.dumps(crops))
    assert torch.equal(crops[3]["image"], copy[3]["image"])


def test_volumes_are_found_with_their_labels(cube, tmp_path):
    assert find_volumes(tmp_path) == [cube]
    (tmp_path / "images/cube.v2.tif").touch()
    with pytest.raises(
        InputError, match=r"differ in their names up to the first dot, got .*cube\.tif and .*cube\.v2\.tif"
    ):
        find_volumes(tmp_path)


def test_what_does_not_fit_is_refused_with_a_sentence(cube, tmp_path):
    def refused(message, **entry):
        with pytest.raises(InputError, match=message):
            RandomCrops([{**cube, **entry}], (2, 4, 4), 1, labelled=True)

    write_volume(tmp_path / "small.tif", np.zeros((6, 8, 9), np.uint16), voxel_size_nm=VOXEL_SIZE_NM)
    write_volume(tmp_path / "float.tif", np.zeros((6, 8, 10), np.float32), voxel_size_nm=VOXEL_SIZE_NM)
    np.save(tmp_path / "no_size.npy", np.zeros((6, 8, 10), np.uint8))
    refused(r"must have the image's shape \(6, 8, 10\), got \(6, 8, 9\)", label=str(tmp_path / "small.tif"))
    refused("labels must be integers, got float32", label=str(tmp_path / "float.tif"))
    refused("must have labels here, got none", label=None)
    refused("sections must lie within 0 and 6", sections=[4, 9])
    refused("weight must be positive, got -1", weight=-1)
    refused("may have .* got", lable="x")
    with pytest.raises(InputError, match="voxel"):
        RandomCrops([{"image": str(tmp_path / "no_size.npy")}], (2, 4, 4), 1)
    with pytest.raises(InputError, match=r"got 9 voxels along y in .*cube\.tif, which has 8"):
        RandomCrops([cube], (2, 9, 4), 1)
    with pytest.raises(InputError, match="at least one volume, got none"):
        RandomCrops([], (2, 4, 4), 1)
    with pytest.raises(InputError, match="volumes were expected in"):
        find_volumes(tmp_path / "nothing")


def test_a_voxel_size_is_taken_from_the_user_where_the_file_has_none(tmp_path):
    np.save(tmp_path / "cube.npy", np.zeros((6, 8, 10), np.uint8))
    crops = RandomCrops([{"image": str(tmp_path / "cube.npy")}], (2, 4, 4), 1, voxel_size_nm=(40, 4, 4))
    assert crops.tissue[0].voxel_size_nm == (40, 4, 4)
