"""Crops: read lazily, registered, weighted, reproducible, and clear about what does not fit."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from monai.transforms import Compose, CopyItemsd, Lambda, OneOf, RandomOrder, SomeOf

from sectome.checks import InputError
from sectome.crops import GridCrops, RandomCrops, SampleNumbers, WholeVolumes
from sectome.resident import CELL, ResidentVolume
from sectome.tissue import find_corrected, find_volumes
from sectome.training import PrepareBatch, augments_on_device
from sectome.transforms import Contrastd, ErodeBordersd, GaussianNoised, PercentileIntensity, RandomOrientationd
from sectome.transforms.label_volume import UNLABELLED
from sectome.volumes import Volume, open_volume, write_volume

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
    fitted = dataset.tissue[0].intensity
    return (sample["image"].double() * fitted.deviation + fitted.mean).round().long()


def test_image_and_label_of_a_crop_are_the_same_voxels(cube):
    both = Compose([RandomOrientationd(["image", "label"])])
    crops = RandomCrops([cube], (2, 4, 4), 20, augmentation=both, labelled=True)
    for number in range(20):
        sample = crops[number]
        assert sample["image"].shape == sample["label"].shape == (1, 2, 4, 4)
        assert torch.equal(raw(sample, crops), 2 * sample["label"] + 1)


def test_a_sample_depends_on_seed_and_number_alone(cube):
    augmentation = Compose([RandomOrientationd("image"), GaussianNoised("image", prob=0.5)])
    crops = RandomCrops([cube], (2, 4, 4), 4, augmentation=augmentation, seed=1)
    forwards = [crops[number]["image"] for number in range(12)]
    backwards = [crops[number]["image"] for number in reversed(range(12))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(forwards, backwards, strict=True))
    assert not torch.equal(
        forwards[0], RandomCrops([cube], (2, 4, 4), 4, augmentation=augmentation, seed=2)[0]["image"]
    )


def test_workers_make_the_same_samples_as_the_main_process(cube):
    def first(workers):
        crops = RandomCrops([cube], (2, 4, 4), 4, augmentation=Compose([RandomOrientationd("image")]))
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


def test_several_processes_see_in_each_batch_what_one_process_sees_in_a_greater_one():
    def batches(size, **share):
        loader = torch.utils.data.DataLoader(range(60), size, sampler=SampleNumbers(60, start=12, **share))
        return [set(batch.tolist()) for batch in itertools.islice(loader, 4)]

    shares = zip(*(batches(2, process=process, processes=3) for process in range(3)), strict=True)
    assert [set.union(*parts) for parts in shares] == batches(6)


def test_every_place_is_reached(cube):
    crops = RandomCrops([cube], (5, 7, 9), 1)
    corners = {int(raw(crops[number], crops).min()) for number in range(200)}
    assert corners == {2 * (z * 80 + y * 10 + x) + 1 for z in range(2) for y in range(2) for x in range(2)}


def test_sections_bound_the_crops(cube):
    crops = RandomCrops([{**cube, "sections": [2, 4]}], (2, 4, 4), 1, labelled=True)
    assert crops.tissue[0].name.endswith("images/cube.tif, sections 2 to 3")
    sections = {int(label) // 80 for number in range(30) for label in crops[number]["label"].flatten()}
    assert sections == {2, 3}


@pytest.mark.parametrize("resident_on", [None, "cpu"])
def test_datasets_of_one_file_are_told_apart(tmp_path, resident_on):
    names = [f"{tmp_path / 'cubes.h5'}:{part}/raw" for part in ("train", "test")]
    for name in names:
        write_volume(name, np.ones((4, 8, 8), np.uint8), voxel_size_nm=(30, 6, 6))
    crops = RandomCrops([{"image": name, "rows": [0, 4]} for name in names], (2, 4, 4), 1, resident_on=resident_on)
    first, second = (one.name for one in crops.tissue)
    assert first.endswith("cubes.h5:train/raw, rows 0 to 3")
    assert second.endswith("cubes.h5:test/raw, rows 0 to 3")


@pytest.mark.parametrize("resident_on", [None, "cpu"])
def test_rows_and_columns_bound_the_crops(cube, resident_on):
    entry = {**cube, "sections": [1, 5], "rows": [3, 7], "columns": [2, 9]}
    crops = RandomCrops([entry], (2, 4, 4), 1, labelled=True, places="foreground", resident_on=resident_on)
    assert crops.tissue[0].name.endswith("images/cube.tif, sections 1 to 4, rows 3 to 6, columns 2 to 8")
    inside = np.arange(6 * 8 * 10).reshape(6, 8, 10)[1:5, 3:7, 2:9]
    seen = set()
    for number in range(40):
        sample = crops[number]
        assert torch.equal(raw(sample, crops), 2 * sample["label"] + 1)
        seen |= {int(label) for label in sample["label"].flatten()}
    assert seen == set(inside.flatten().tolist())
    whole = WholeVolumes([entry], labelled=True)[0]["label"][0]
    np.testing.assert_array_equal(whole, inside)


def test_volumes_are_drawn_by_weight(cube, tmp_path):
    write_volume(tmp_path / "other.tif", np.full((6, 8, 10), 5, np.uint16), voxel_size_nm=VOXEL_SIZE_NM)
    crops = RandomCrops([{**cube, "weight": np.int64(3)}, {"image": str(tmp_path / "other.tif")}], (2, 2, 2), 1)
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
    crops = GridCrops([cube], (4, 4, 4), labelled=True)
    seen = {int(label) for sample in crops for label in sample["label"].flatten()}
    assert seen == set(range(6 * 8 * 10))
    assert len(GridCrops([cube], (4, 4, 4), limit=3)) == 3
    with pytest.raises(InputError, match="limit must be a whole number of at least 0, got -1"):
        GridCrops([cube], (4, 4, 4), limit=-1)


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


def test_corrected_labels_are_found_with_their_images(tmp_path):
    for name in ("a.nii.gz", "b.tif", "datastore_v2.json", "labels/final/a.nii.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    of_a = {"image": str(tmp_path / "a.nii.gz"), "label": str(tmp_path / "labels/final/a.nii.gz")}
    assert find_corrected(tmp_path) == [of_a]
    for twin, of in (("a.02.nii.gz", "a.nii.gz"), ("labels/final/a.tif", "labels/final/a.nii.gz")):
        (tmp_path / twin).touch()
        with pytest.raises(InputError, match="differ in their names up to the first dot") as caught:
            find_corrected(tmp_path)
        assert {str(tmp_path / twin), str(tmp_path / of)} <= set(str(caught.value).split())
        (tmp_path / twin).unlink()


def test_what_does_not_fit_is_refused_with_a_sentence(cube, tmp_path):
    def refused(message, **entry):
        with pytest.raises(InputError, match=message):
            RandomCrops([{**cube, **entry}], (2, 4, 4), 1, labelled=True)

    write_volume(tmp_path / "small.tif", np.zeros((6, 8, 9), np.uint16), voxel_size_nm=VOXEL_SIZE_NM)
    write_volume(tmp_path / "float.tif", np.zeros((6, 8, 10), np.float32), voxel_size_nm=VOXEL_SIZE_NM)
    np.save(tmp_path / "no_size.npy", np.zeros((6, 8, 10), np.uint8))
    refused(r"must have the shape of .*, \(6, 8, 10\), .* got \(6, 8, 9\)", label=str(tmp_path / "small.tif"))
    refused("labels must be integers, got float32", label=str(tmp_path / "float.tif"))
    refused(r"expected labels for .*, got none", label=None)
    refused("sections must lie within 0 and 6", sections=[4, 9])
    refused(r"sections must be two whole numbers \[start, stop\], got 4 for .*cube\.tif", sections=4)
    refused("sections must be two whole numbers", sections=[0, 2.5])
    refused("rows must be two whole numbers", rows=[])
    refused(r"columns must lie within 0 and 10, got \[9, 12\]", columns=[9, 12])
    refused("weight must be positive, got -1", weight=-1)
    refused("weight must be positive, got 'much'", weight="much")
    refused("must name its volumes by paths, got 3", image=3)
    refused("may have .* got", lable="x")
    with pytest.raises(InputError, match="voxel"):
        RandomCrops([{"image": str(tmp_path / "no_size.npy")}], (2, 4, 4), 1)
    with pytest.raises(InputError, match=r"places must be one of 'volume', 'labelled', 'foreground', got 'labels'"):
        RandomCrops([cube], (2, 4, 4), 1, places="labels")
    with pytest.raises(InputError, match=r"expected labels for places 'labelled', got none with .*cube\.tif"):
        RandomCrops([{"image": cube["image"]}], (2, 4, 4), 1, places="labelled")
    with pytest.raises(InputError, match=r"must be a dictionary with an image, got 'cube\.tif'"):
        RandomCrops(["cube.tif"], (2, 4, 4), 1)
    with pytest.raises(InputError, match="at least one volume, got none"):
        RandomCrops([], (2, 4, 4), 1)
    with pytest.raises(InputError, match="expected volumes in"):
        find_volumes(tmp_path / "nothing")


def test_a_voxel_size_is_taken_from_the_user_where_the_file_has_none(tmp_path):
    np.save(tmp_path / "cube.npy", np.zeros((6, 8, 10), np.uint8))
    crops = RandomCrops([{"image": str(tmp_path / "cube.npy")}], (2, 4, 4), 1, voxel_size_nm=(40, 4, 4))
    assert crops.tissue[0].voxel_size_nm == (40, 4, 4)


@pytest.fixture
def cube_of_bytes(cube, tmp_path):
    """The same place with a byte for each voxel."""
    voxels = np.random.default_rng(0).integers(1, 256, (6, 8, 10), dtype=np.uint8)
    write_volume(tmp_path / "bytes.tif", voxels, voxel_size_nm=VOXEL_SIZE_NM)
    return {**cube, "image": str(tmp_path / "bytes.tif")}


def batch_of(entries, augmentation, on_device, **options):
    """Return image and label of the first batch as the network gets them, and the batch as it left the workers."""
    crops = RandomCrops(
        entries, (2, 4, 4), 8, augmentation=augmentation, augment_on_device=on_device, labelled=True, seed=3, **options
    )
    loaded = next(iter(torch.utils.data.DataLoader(crops, 8)))
    return PrepareBatch("label", augmentation if on_device else None)(loaded, torch.device("cpu")), loaded


@pytest.mark.parametrize("resident_on", [None, "cpu"])
@pytest.mark.parametrize("kind", ["cube", "cube_of_bytes"])
def test_a_batch_that_its_device_augments_is_the_one_that_workers_would_make(kind, resident_on, request):
    entry = request.getfixturevalue(kind)
    augmentation = Compose([Contrastd("image", prob=0.5), RandomOrientationd(["image", "label"])])
    (image, label), _ = batch_of([entry], augmentation, False)
    (made, made_label), loaded = batch_of([entry], augmentation, True, resident_on=resident_on)
    torch.testing.assert_close(made, image, rtol=1e-5, atol=1e-5)
    assert torch.equal(made_label, label)
    assert loaded["image"].dtype == (torch.uint8 if kind == "cube_of_bytes" else torch.float32)


def test_crops_that_an_augmentation_is_not_for_are_refused_before_any_is_read(cube):
    oriented = Compose([RandomOrientationd(["image", "label"])])
    with pytest.raises(InputError, match=r"exchanged axes must have the same length, got crops of \(2, 4, 6\)"):
        RandomCrops([cube], (2, 4, 6), 1, augmentation=oriented)


def test_noise_on_the_device_is_in_the_same_crops_and_as_strong(cube_of_bytes):
    oriented = RandomOrientationd(["image", "label"])
    quiet, _ = batch_of([cube_of_bytes], Compose([GaussianNoised("image", (0.0, 1e-9), prob=0.5), oriented]), True)
    noisy = Compose([GaussianNoised("image", (0.0, 2.0), prob=0.5), oriented])
    (on_device, label), _ = batch_of([cube_of_bytes], noisy, True)
    (by_workers, same), _ = batch_of([cube_of_bytes], noisy, False)
    assert torch.equal(label, same)
    first, second = ((image - quiet[0]).flatten(1).std(dim=1) for image in (on_device, by_workers))
    assert torch.equal(first > 1e-3, second > 1e-3)
    assert 0 < (first > 1e-3).sum() < 8
    # The same numbers, in other places of the crop.
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "travels"),
    [
        ({}, True),
        ({"transform": Compose([ErodeBordersd("label")])}, True),
        ({"transform": Compose([CopyItemsd("image", names="copy")])}, False),
        ({"transform": lambda sample: sample}, False),
        ({"intensity": PercentileIntensity()}, False),
    ],
)
def test_images_are_bytes_only_where_nothing_needs_them_standardised(cube_of_bytes, options, travels):
    _, loaded = batch_of([cube_of_bytes], Compose([RandomOrientationd(["image", "label"])]), True, **options)
    assert ("standardisation" in loaded) is travels
    assert loaded["image"].dtype == (torch.uint8 if travels else torch.float32)


def test_bytes_and_other_voxels_in_one_training_are_standardised_by_workers(cube, cube_of_bytes):
    _, loaded = batch_of([cube, cube_of_bytes], Compose([RandomOrientationd(["image", "label"])]), True)
    assert "standardisation" not in loaded


def test_each_volume_is_standardised_by_its_own_numbers_on_the_device_too(cube_of_bytes, tmp_path):
    brighter = np.asarray(open_volume(cube_of_bytes["image"])[:, :, :]) // 4 + 190
    write_volume(tmp_path / "brighter.tif", brighter, voxel_size_nm=VOXEL_SIZE_NM)
    entries = [cube_of_bytes, {**cube_of_bytes, "image": str(tmp_path / "brighter.tif")}]
    oriented = Compose([RandomOrientationd(["image", "label"])])
    (by_workers, _), _ = batch_of(entries, oriented, False)
    (on_device, _), loaded = batch_of(entries, oriented, True)
    assert len(loaded["standardisation"].unique(dim=0)) == 2
    torch.testing.assert_close(on_device, by_workers, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("device", "more", "expected"),
    [("cuda:1", [], True), ("cpu", [], False), (torch.device("cuda"), [Lambda(lambda sample: sample)], False)],
)
def test_a_gpu_augments_batches_if_all_transforms_know_them(device, more, expected):
    augmentation = Compose([RandomOrientationd(["image", "label"]), *more])
    assert augments_on_device(device, augmentation) is expected
    assert not augments_on_device(device, None)


def test_an_autoencoder_gets_its_image_twice_and_foreign_transforms_are_refused_at_once():
    image = torch.zeros(2, 1, 2, 4, 4)
    first, second = PrepareBatch("image")({"image": image}, torch.device("cpu"))
    assert first is second
    prepare = PrepareBatch("image", Compose([Contrastd("image", prob=1.0)]))
    with pytest.warns(UserWarning, match="crops have no augmentation_seed: they are not augmented"):
        assert torch.equal(prepare({"image": image + 1}, torch.device("cpu"))[0], image + 1)
    with pytest.raises(InputError, match=r"augmentation on the device expected random transforms .* got Lambda"):
        PrepareBatch("image", Compose([Lambda(lambda data: data)]))


@pytest.mark.parametrize("kind", [OneOf, SomeOf, RandomOrder])
def test_what_draws_the_transforms_of_each_crop_is_left_to_workers(kind):
    augmentation = kind([Contrastd("image"), GaussianNoised("image")])
    assert not augments_on_device("cuda", augmentation)
    with pytest.raises(InputError, match=f"augmentation on the device expected .* got {kind.__name__}; set"):
        PrepareBatch("image", augmentation)


def test_resident_volumes_give_the_same_crops_without_reading_again(cube, monkeypatch):
    entry = {**cube, "sections": [1, 6]}
    from_files = RandomCrops([entry], (2, 4, 4), 8, labelled=True)
    expected = [from_files[number] for number in range(8)]
    resident = RandomCrops([entry], (2, 4, 4), 8, labelled=True, resident_on="cpu")
    monkeypatch.setattr(Volume, "__getitem__", lambda *_: pytest.fail("a resident volume was read again"))
    for _ in range(2):  # What is done to a crop must not reach the volume.
        for number in range(8):
            sample = resident[number]
            assert torch.equal(sample["image"], expected[number]["image"])
            assert torch.equal(sample["label"], expected[number]["label"])
            sample["image"].zero_(), sample["label"].zero_()
    assert resident.tissue[0].image.voxels.dtype == torch.uint16


@pytest.mark.parametrize("kind", [RandomCrops, GridCrops])
def test_compressed_sections_that_are_not_kept_are_said_to_be_slow(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("SECTOME_CACHE_MB", "0")
    write_volume(tmp_path / "image", np.ones((4, 16, 16), np.uint8), voxel_size_nm=(30, 6, 6))
    options = {"length": 1} if kind is RandomCrops else {}
    with pytest.warns(UserWarning, match="is compressed section by section"):
        kind([{"image": str(tmp_path / "image")}], (2, 8, 8), **options)


def test_a_resident_volume_is_decoded_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SECTOME_CACHE_MB", "0")
    write_volume(tmp_path / "image", np.ones((4, 16, 16), np.uint8), voxel_size_nm=(30, 6, 6))
    RandomCrops([{"image": str(tmp_path / "image")}], (2, 8, 8), 1, resident_on="cpu")


def test_a_volume_with_nan_does_not_become_resident(tmp_path):
    grey = np.zeros((4, 8, 8), np.float32)
    grey[3, 2, 5] = np.nan
    write_volume(tmp_path / "grey.tif", grey, voxel_size_nm=VOXEL_SIZE_NM)
    volume = open_volume(tmp_path / "grey.tif")
    with pytest.raises(InputError, match=r"got 1 that are NaN .* section 3 at \(y, x\) = \(2, 5\)"):
        ResidentVolume(volume, (slice(1, 4), slice(1, 8), slice(0, 8)), torch.device("cpu"))
    ResidentVolume(volume, (slice(0, 3), slice(0, 8), slice(0, 8)), torch.device("cpu"))


def test_resident_volumes_leave_half_of_a_gpu_to_the_network_all_together(cube, monkeypatch):
    bytes_of_one = 2 * 2 * 6 * 8 * 10
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (3 * bytes_of_one, 2**40))
    with pytest.raises(InputError, match=r"must take at most half of the GPU's free memory, .* set resident to false"):
        RandomCrops([cube, cube], (2, 4, 4), 1, labelled=True, resident_on="cuda")


def test_a_thin_volume_is_mirrored_without_labels_and_said(cube):
    with pytest.warns(UserWarning, match=r"cube\.tif has 6 voxels along z, and a crop has 9: .* the image is mirrored"):
        crops = RandomCrops([cube], (9, 4, 4), 1, labelled=True)
    starts = set()
    for number in range(30):
        sample = crops[number]
        assert sample["image"].shape == sample["label"].shape == (1, 9, 4, 4)
        seen, image = sample["label"][0], raw(sample, crops)[0]
        known = (seen[:, 0, 0] != UNLABELLED).nonzero()[:, 0]
        first, last = int(known[0]), int(known[-1])
        assert last - first == 5
        assert torch.equal(image[first : last + 1], 2 * seen[first : last + 1] + 1)
        assert (seen[:first] == UNLABELLED).all()
        assert (seen[last + 1 :] == UNLABELLED).all()
        assert all(torch.equal(image[first - step], image[first + step]) for step in range(1, first + 1))
        assert all(torch.equal(image[last - step], image[last + step]) for step in range(1, 9 - last))
        starts.add(first)
    assert starts == {0, 1, 2, 3}
    with pytest.warns(UserWarning, match="along z"):
        grid = GridCrops([cube], (9, 8, 10), labelled=True)
    assert len(grid) == 1
    assert grid[0]["image"].shape == (1, 9, 8, 10)


@pytest.fixture
def sparse(tmp_path):
    """A volume of which two corners are labelled, one of them with an object: (16, 32, 32)."""
    labels = np.zeros((16, 32, 32), np.uint8)
    mask = np.zeros_like(labels)
    mask[:4, :8, :8] = mask[12:, 24:, 24:] = 1
    labels[13, 26, 26] = 7
    for name, array in {
        "image": np.arange(labels.size).reshape(labels.shape) % 251,
        "label": labels,
        "mask": mask,
    }.items():
        write_volume(tmp_path / f"{name}.tif", array.astype(np.uint8), voxel_size_nm=VOXEL_SIZE_NM)
    return {name: str(tmp_path / f"{name}.tif") for name in ("image", "label", "mask")}


@pytest.mark.parametrize("resident_on", [None, "cpu"])
@pytest.mark.parametrize("sections", [None, [8, 16]])
def test_places_by_labels_hold_some(sparse, sections, resident_on):
    entry = {**sparse, "sections": sections}
    by_label = RandomCrops([entry], (4, 8, 8), 1, labelled=True, places="labelled", resident_on=resident_on)
    assert all((by_label[number]["label"] != UNLABELLED).any() for number in range(40))
    by_object = RandomCrops([entry], (4, 8, 8), 1, labelled=True, places="foreground", resident_on=resident_on)
    crops = [by_object[number]["label"] for number in range(60)]
    assert sum(bool((crop == 7).any()) for crop in crops) > 30  # Its cell is known, its voxel is not.
    assert len({tuple((crop == 7).nonzero()[0].tolist()) for crop in crops if (crop == 7).any()}) > 10
    anywhere = RandomCrops([entry], (4, 8, 8), 1, labelled=True, resident_on=resident_on)
    assert any((anywhere[number]["label"] == UNLABELLED).all() for number in range(40))


def test_each_crop_of_a_labelled_grid_holds_some(sparse):
    crops = GridCrops([sparse], (4, 8, 8), labelled=True)
    assert [start for _, start in crops.places] == [(0, 0, 0), (12, 24, 24)]
    assert all((sample["label"] != UNLABELLED).any() for sample in crops)
    assert len(GridCrops([sparse], (4, 8, 8))) == 4 * 4 * 4
    with pytest.raises(InputError, match=r"expected labels to validate on in .*image\.tif, sections 4 to 11, got"):
        GridCrops([{**sparse, "sections": [4, 12]}], (4, 8, 8), labelled=True, limit=2)


@pytest.mark.parametrize(("depth", "last"), [(20, 4), (24, 8), (17, 1), (32, 16)])
def test_the_last_cell_along_z_is_drawn_as_often_as_it_has_voxels(tmp_path, depth, last):
    for name in ("image", "label"):
        np.save(tmp_path / f"{name}.npy", np.ones((depth, 8, 8), np.uint8))
    entry = {name: tmp_path / f"{name}.npy" for name in ("image", "label")}
    crops = RandomCrops(
        [entry], (16, 8, 8), 1, voxel_size_nm=VOXEL_SIZE_NM, labelled=True, places="labelled", resident_on="cpu"
    )
    first, second = crops.densities[0].counts.ravel()
    assert (first, second) == (4 * 64, 4 * 64 * last / 16)


def test_whole_numbers_of_voxels_may_be_floats(sparse):
    floats, whole = (
        RandomCrops([sparse], size, 1, labelled=True, places="labelled")[0]["label"]
        for size in ((4.0, 8.0, 8.0), (4, 8, 8))
    )
    assert torch.equal(floats, whole)


def test_places_without_anything_are_refused(sparse):
    with pytest.raises(InputError, match=r"expected foreground voxels in .*, got none; set places to 'volume'"):
        RandomCrops([{**sparse, "sections": [0, 8]}], (4, 8, 8), 1, labelled=True, places="foreground")


@pytest.mark.parametrize("resident_on", [None, "cpu"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_empty_crops_are_drawn_again_and_an_empty_volume_is_refused(tmp_path, dtype, resident_on):
    image = np.zeros((4, 8, 40), dtype)
    image[:, :, 32:] = 9
    write_volume(tmp_path / "padded.tif", image, voxel_size_nm=VOXEL_SIZE_NM)
    entry = {"image": str(tmp_path / "padded.tif")}
    crops = RandomCrops([entry], (4, 8, 8), 1, max_empty=0.5, resident_on=resident_on)
    shares = [(raw(crops[number], crops) == 0).double().mean() for number in range(30)]
    assert max(shares) <= 0.5
    assert max(shares) > 0
    write_volume(tmp_path / "nothing.tif", np.zeros((4, 8, 8), dtype), voxel_size_nm=VOXEL_SIZE_NM)
    nothing = RandomCrops(
        [{"image": str(tmp_path / "nothing.tif")}], (4, 8, 8), 1, max_empty=0.5, resident_on=resident_on
    )
    with pytest.raises(InputError, match=r"at most 50% of voxels of value 0, got none in 1000 tries"):
        nothing[0]


def test_little_tissue_in_a_large_volume_is_found_for_each_sample(tmp_path):
    image = np.zeros((2, 4, 2000), np.uint8)
    image[..., 900:960] = 9
    np.save(tmp_path / "image.npy", image)
    crops = RandomCrops(
        [{"image": tmp_path / "image.npy"}], (2, 4, 4), 1, voxel_size_nm=VOXEL_SIZE_NM, max_empty=0.5, resident_on="cpu"
    )
    assert all((raw(crops[number], crops) > 0).double().mean() >= 0.5 for number in range(60))


@pytest.mark.parametrize("max_empty", [50, 1.01, -0.5, "half"])
def test_a_share_of_empty_voxels_that_is_none_is_refused(cube, max_empty):
    with pytest.raises(InputError, match=f"max_empty must lie in 0..1, got {max_empty!r}"):
        RandomCrops([cube], (2, 4, 4), 1, max_empty=max_empty)


def test_a_device_is_not_asked_for_crops_that_cannot_be_empty(cube, monkeypatch):
    crops = RandomCrops([cube], (2, 4, 4), 1, labelled=True, max_empty=0.5, resident_on="cpu")
    crops[0]
    for question in ("item", "__int__", "__bool__", "tolist", "cpu"):
        monkeypatch.setattr(torch.Tensor, question, lambda *_: pytest.fail("the device was asked"))
    for number in range(20):
        crops[number]


def test_zeros_of_a_box_are_bounded_by_those_of_the_cells_that_it_touches(tmp_path):
    random = np.random.default_rng(0)
    voxels = (random.random((37, 21, 50)) > random.random((37, 1, 50))).astype(np.uint8)
    own = (slice(3, 37), slice(0, 21), slice(5, 50))
    np.save(tmp_path / "image.npy", voxels)
    volume = open_volume(tmp_path / "image.npy", voxel_size_nm=VOXEL_SIZE_NM)
    resident = ResidentVolume(volume, own, torch.device("cpu"))
    assert resident.most_zeros(own) == (voxels[own] == 0).sum()
    for _ in range(50):
        start = [int(random.integers(part.start, part.stop)) for part in own]
        box = tuple(slice(a, int(random.integers(a, part.stop)) + 1) for a, part in zip(start, own, strict=True))
        cells = tuple(
            slice(part.start + (a.start - part.start) // CELL * CELL, part.start - (part.start - a.stop) // CELL * CELL)
            for a, part in zip(box, own, strict=True)
        )
        inside = tuple(slice(a.start, min(a.stop, part.stop)) for a, part in zip(cells, own, strict=True))
        assert resident.most_zeros(box) == (voxels[inside] == 0).sum() >= (voxels[box] == 0).sum()


def label_of(tmp_path, voxels):
    np.save(tmp_path / "label.npy", voxels)
    np.save(tmp_path / "image.npy", np.random.default_rng(0).random(voxels.shape, dtype=np.float32))
    entry = {"image": str(tmp_path / "image.npy"), "label": str(tmp_path / "label.npy")}
    return WholeVolumes([entry], VOXEL_SIZE_NM, labelled=True)[0]["label"][0]


def test_great_ids_are_kept_and_those_of_cremi_are_unlabelled(tmp_path):
    ids = np.array([0, 1, 2**31 + 5, 2**40, 2**63 - 1, 2**63, 2**64 - 3, 2**64 - 1], np.uint64).reshape(2, 2, 2)
    assert label_of(tmp_path, ids).flatten().tolist() == [0, 1, 2**31 + 5, 2**40, 2**63 - 1, -1, -1, -1]


def test_negative_ids_are_refused_but_for_the_one_that_means_unlabelled(tmp_path):
    ids = np.array([[[3, UNLABELLED]]], np.int32)
    assert label_of(tmp_path, ids).flatten().tolist() == [3, UNLABELLED]
    with pytest.raises(
        InputError, match=r"labels must be 0 or more, or -1 .*, got -2 in .*label\.npy\[0:1, 0:1, 0:2\]"
    ):
        label_of(tmp_path, ids - 1)
    entry = {"image": str(tmp_path / "image.npy"), "label": str(tmp_path / "label.npy")}
    with pytest.raises(
        InputError, match=r"labels must be 0 or more, or -1 .*, got -2 in .*label\.npy\[0:1, 0:1, 0:2\]"
    ):
        RandomCrops([entry], (1, 1, 2), 1, voxel_size_nm=VOXEL_SIZE_NM, labelled=True, resident_on="cpu")


def test_voxels_that_are_no_numbers_are_named(tmp_path):
    image = np.random.default_rng(0).random((40, 4, 4), dtype=np.float32)
    image[17, 2, 2] = np.nan
    np.save(tmp_path / "image.npy", image)
    crops = GridCrops([{"image": str(tmp_path / "image.npy")}], (4, 4, 4), voxel_size_nm=VOXEL_SIZE_NM)
    crops[0]
    with pytest.raises(
        InputError,
        match=r"image\.npy: grey values must be finite, got 1 .*, the first in section 17 at \(y, x\) = \(2, 2\)",
    ):
        crops[4]


def test_grey_values_are_normalised_as_the_config_says(cube):
    entry = {**cube, "sections": [2, 6]}
    normaliser = PercentileIntensity(per_section=True)
    voxels = np.asarray(open_volume(cube["image"]))
    expected = normaliser.fit(voxels).apply(voxels[3:5, :4, :4], 3)
    for resident_on in (None, "cpu"):
        crops = RandomCrops([entry], (4, 8, 10), 1, intensity=normaliser, resident_on=resident_on)
        assert torch.equal(crops[0]["image"][0, 1:3, :4, :4], expected)
    whole = WholeVolumes([entry], intensity=normaliser)[0]["image"]
    assert torch.equal(whole, GridCrops([entry], (4, 8, 10), intensity=normaliser)[0]["image"])


def test_a_pyramid_is_read_at_the_level_that_the_entry_names(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (16, 256, 256)).astype(np.uint8)
    write_volume(tmp_path / "image.ome.zarr", image, voxel_size_nm=(40, 4, 4))
    entry = {"image": str(tmp_path / "image.ome.zarr"), "near_voxel_size_nm": [40, 9, 9]}
    tissue = RandomCrops([entry], (4, 8, 8), 1).tissue[0]
    assert tissue.voxel_size_nm == (40, 8, 8)
    assert tissue.shape == (16, 128, 128)
