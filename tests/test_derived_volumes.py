"""Thicker sections and labels from membranes, read lazily, and as entries of data."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from sectome.checks import InputError
from sectome.crops import RandomCrops, WholeVolumes
from sectome.derived_volumes import DerivedVolume, EveryNthSection, MembraneLabels, PlacedInside
from sectome.tissue import open_tissue
from sectome.volumes import open_volume, write_volume
from sectome.volumes.other_place import place_inside

KEYS = [
    ...,
    0,
    -1,
    slice(1, 3),
    slice(None, None, 2),
    slice(None, None, -1),
    slice(2, 2),
    (slice(0, 2), slice(1, 5), slice(None, None, 3)),
    (1, slice(None), 4),
    (-1, 2, 3),
]


@pytest.fixture
def voxels():
    return np.arange(11 * 6 * 7, dtype=np.uint16).reshape(11, 6, 7)


@pytest.fixture
def volume(voxels, tmp_path):
    write_volume(tmp_path / "cube.tif", voxels, voxel_size_nm=(8, 8, 8))
    return open_volume(tmp_path / "cube.tif")


@pytest.fixture
def membrane(tmp_path):
    mask = (np.random.default_rng(0).random((5, 9, 8)) < 0.5).astype(np.uint8)
    write_volume(tmp_path / "membrane.tif", mask, voxel_size_nm=(50, 5, 5))
    return mask, open_volume(tmp_path / "membrane.tif")


@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_every_nth_section_is_sliced_as_numpy_does(voxels, volume, step, key):
    np.testing.assert_array_equal(EveryNthSection(volume, step)[key], voxels[::step][key])


def test_every_nth_section_knows_its_size_and_travels(voxels, volume):
    thick = EveryNthSection(volume, 4)
    assert (thick.shape, thick.voxel_size_nm, len(thick), thick.dtype) == ((3, 6, 7), (32, 8, 8), 3, np.uint16)
    assert volume.shape == (11, 6, 7)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(thick)), voxels[::4])


@pytest.fixture
def turned(voxels, tmp_path):
    """The voxels in a NIfTI that exchanges x and y, and mirrors z."""
    affine = np.array([[0, 8e-6, 0, 1e-4], [8e-6, 0, 0, 2e-4], [0, 0, -8e-6, 3e-4], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(voxels.T, affine)
    image.header.set_xyzt_units("mm")
    image.to_filename(tmp_path / "turned.nii")
    return open_volume(tmp_path / "turned.nii")


@pytest.mark.parametrize("name", ["volume", "turned"])
def test_a_section_that_is_kept_lies_where_it_did(name, request):
    source = request.getfixturevalue(name)
    thick = EveryNthSection(EveryNthSection(source, 2), 2)
    place = source.affine_mm @ [5, 3, 8, 1]
    np.testing.assert_allclose(thick.affine_mm @ [5, 3, 2, 1], place)
    np.testing.assert_allclose(MembraneLabels(thick).affine_mm @ [5, 3, 2, 1], place)
    np.testing.assert_allclose(np.linalg.norm(thick.affine_mm[:3, :3], axis=0) * 1e6, thick.voxel_size_nm[::-1])


def test_a_placed_volume_lies_where_its_image_does(turned, tmp_path):
    write_volume(tmp_path / "label.zarr", np.ones((2, 3, 4), np.uint8), voxel_size_nm=(8, 8, 8), offset_nm=(16, 8, 8))
    cube = open_volume(tmp_path / "label.zarr")
    label = PlacedInside(cube, turned, place_inside(turned, cube), -1)
    np.testing.assert_array_equal(label.affine_mm, turned.affine_mm)


def test_what_derives_no_voxels_is_no_volume(volume):
    with pytest.raises(TypeError, match="abstract"):
        DerivedVolume(volume)


def reference_labels(mask):
    """Label each section by itself; ids of later sections are greater."""
    labels = np.zeros(mask.shape, np.int64)
    for z, section in enumerate(mask):
        parts = ndimage.label(section == 0)[0]
        labels[z] = np.where(parts, parts + labels.max(), 0)
    return labels


def same_partition(one, other):
    pairs = set(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_membranes_make_labels_by_section(membrane):
    mask, volume = membrane
    labels = MembraneLabels(volume)
    whole = np.asarray(labels)
    assert whole.dtype == labels.dtype == np.int64
    assert same_partition(whole, reference_labels(mask))
    assert np.array_equal(whole == 0, mask > 0)


def test_ids_of_many_large_sections_do_not_overflow(tmp_path):
    # A sparse file: nothing of it is written.
    np.lib.format.open_memmap(tmp_path / "wide.npy", "w+", np.uint8, (129, 4096, 4096))
    labels = MembraneLabels(open_volume(tmp_path / "wide.npy"))
    assert (labels[128, :4, :4] == 128 * 4096**2 + 1).all()


@pytest.mark.parametrize("key", [1, (slice(1, 4), slice(2, 5), slice(3, None)), (slice(None, None, 2), 3, 2)], ids=str)
def test_a_crop_of_labels_is_a_part_of_the_whole(membrane, key):
    labels = MembraneLabels(membrane[1])
    np.testing.assert_array_equal(labels[key], np.asarray(labels)[key])


def test_a_section_is_taken_apart_once_for_all_crops_of_it(membrane, monkeypatch):
    labels = MembraneLabels(membrane[1])
    whole = np.asarray(labels)
    monkeypatch.setattr("sectome.derived_volumes.ndimage.label", None)
    np.testing.assert_array_equal(labels[1:3, 2:4, 2:4], whole[1:3, 2:4, 2:4])
    monkeypatch.undo()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(labels)), whole)


def test_an_entry_takes_every_nth_of_its_own_sections(voxels, volume, tmp_path):
    write_volume(tmp_path / "mask.tif", (voxels % 2).astype(np.uint8), voxel_size_nm=(8, 8, 8))
    entry = {"image": volume, "label": volume, "mask": str(tmp_path / "mask.tif"), "section_step": 4}
    dataset = WholeVolumes([{**entry, "sections": [2, 9]}], labelled=True)
    tissue = dataset.tissue[0]
    assert (tissue.shape, tissue.voxel_size_nm) == ((2, 6, 7), (32, 8, 8))
    assert tissue.name.endswith("cube.tif, sections 4 to 8, one in 4")
    kept = voxels[4:9:4].astype(int)
    np.testing.assert_array_equal(dataset[0]["label"][0], np.where(kept % 2, kept, -1))
    assert open_tissue([entry])[0].name.endswith("cube.tif, one in 4")
    assert open_tissue([{**entry, "section_step": 1, "sections": [0, 4]}])[0].name.endswith("sections 0 to 3")


def test_resident_tissue_is_the_same(volume):
    entry = {"image": volume, "label": volume, "section_step": 3, "sections": [1, 10]}
    lazy, resident = (
        RandomCrops([entry], (2, 4, 4), 1, labelled=True, places="labelled", resident_on=device)
        for device in (None, "cpu")
    )
    for number in range(3):
        assert all((lazy[number][key] == resident[number][key]).all() for key in ("image", "label"))


def test_an_entry_has_labels_from_its_membranes(membrane, tmp_path):
    mask, volume = membrane
    entry = {"image": volume, "membrane": str(tmp_path / "membrane.tif"), "sections": [1, 4]}
    labels = WholeVolumes([entry], labelled=True)[0]["label"][0].numpy()
    assert same_partition(labels, reference_labels(mask[1:4]))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"section_step": 0}, r"section_step of .*cube\.tif must be a whole number of at least 1, got 0"),
        ({"section_step": 1.5}, r"section_step of .* must be a whole number of at least 1, got 1\.5"),
        (
            {"section_step": 4, "sections": [1, 4]},
            r"sections must hold at least one that section_step 4 keeps, got \[1, 4\]",
        ),
        ({"membrane": "volume"}, "must have a label or a membrane, got both"),
        (
            {"membrane": "other", "label": None},
            r"membrane .* must have the shape of .*, \(11, 6, 7\), .* got \(5, 9, 8\)",
        ),
    ],
)
def test_entries_that_make_no_sense_are_refused(volume, membrane, more, sentence):
    volumes = {"volume": volume, "other": membrane[1]}
    more = {key: volumes.get(value, value) if isinstance(value, str) else value for key, value in more.items()}
    with pytest.raises(InputError, match=sentence):
        open_tissue([{"image": volume, "label": volume, **more}])


@pytest.fixture
def cube(tmp_path):
    """An image of (6, 10, 12) voxels from (80, 8, 16) nm on, and labels of (2, 4, 5) from voxel (3, 2, 6) on."""
    image = np.random.default_rng(0).integers(1, 255, (6, 10, 12)).astype(np.uint8)
    labels = np.arange(1, 41, dtype=np.uint8).reshape(2, 4, 5)
    write_volume(tmp_path / "image.zarr", image, voxel_size_nm=(40, 4, 4), offset_nm=(80, 8, 16))

    def write(dtype=np.uint8, offset_nm=(200, 16, 40), voxel_size_nm=(40, 4, 4), name="label"):
        path = tmp_path / f"{name}.zarr"
        write_volume(path, labels.astype(dtype), voxel_size_nm=voxel_size_nm, offset_nm=offset_nm)
        return {"image": str(tmp_path / "image.zarr"), name: str(path)}

    expected = np.full(image.shape, -1)
    expected[3:5, 2:6, 6:11] = labels
    return write, image, expected


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_a_labelled_cube_lies_in_its_image_by_its_offset(cube, dtype):
    write, image, expected = cube
    (tissue,) = open_tissue([write(dtype)], labelled=True)
    assert tissue.shape == (2, 4, 5)
    np.testing.assert_array_equal(tissue.read_labels((slice(0, 2), slice(0, 4), slice(0, 5))), expected[3:5, 2:6, 6:11])
    np.testing.assert_array_equal(tissue.image[tissue.box], image[3:5, 2:6, 6:11])
    (wider,) = open_tissue([{**write(dtype), "sections": [2, 6], "rows": [0, 10], "columns": [0, 9]}])
    np.testing.assert_array_equal(wider.read_labels((slice(0, 4), slice(0, 10), slice(0, 9))), expected[2:6, :, :9])
    np.testing.assert_array_equal(wider.on("cpu").read_whole()["label"][0], expected[2:6, :, :9])


@pytest.mark.parametrize(
    "key", [(slice(None, None, 2), 3, slice(5, 12, 3)), (0,), (slice(3, 4), slice(4, 5), -1)], ids=str
)
def test_a_crop_of_a_placed_volume_is_a_part_of_the_whole(cube, key):
    write, _, expected = cube
    label = open_tissue([write()])[0].label
    np.testing.assert_array_equal(label[key], expected[key])
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(label))), expected)


def test_a_mask_says_nothing_around_itself(cube):
    write, _, expected = cube
    mask = open_tissue([write(name="mask")])[0].mask
    np.testing.assert_array_equal(np.asarray(mask), np.maximum(expected, 0))


@pytest.mark.parametrize(
    "changes",
    [
        {"offset_nm": (200, 16, 42)},
        {"offset_nm": (280, 16, 40)},
        {"voxel_size_nm": (40, 8, 8)},
        {"offset_nm": (40, 4, 4)},
    ],
)
def test_a_cube_that_does_not_lie_in_its_image_is_refused(cube, changes):
    write, _, _ = cube
    with pytest.raises(
        InputError,
        match=r"label.zarr to lie within .*image.zarr .*, got \(2, 4, 5\) voxels .* in \(6, 10, 12\) voxels",
    ):
        open_tissue([write(**changes)])
    with pytest.raises(
        InputError, match=r"label .* must have the shape of .*, \(6, 10, 12\), or an offset .*, got \(2, 4, 5\)"
    ):
        open_tissue([write(offset_nm=(0, 0, 0))])


@pytest.mark.parametrize("x", [6, 50_000])
def test_a_cube_between_voxels_is_refused_however_far_it_lies(x):
    at = {"name": "a.zarr", "voxel_size_nm": (40.0, 4.0, 4.0)}
    image = SimpleNamespace(shape=(6, 10, 60_000), offset_nm=(0.0, 0.0, 0.0), **at)
    assert place_inside(image, SimpleNamespace(shape=(2, 4, 5), offset_nm=(0.0, 0.0, 4.0 * x), **at))[2].start == x
    with pytest.raises(InputError, match=r"to lie within a.zarr at whole voxels, got"):
        place_inside(image, SimpleNamespace(shape=(2, 4, 5), offset_nm=(0.0, 0.0, 4.0 * x + 2), **at))
