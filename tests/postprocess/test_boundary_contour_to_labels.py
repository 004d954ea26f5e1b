"""Mitochondria from foreground and contours: drawn by hand, against scikit-image, and back from their own targets."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed

from sectome.checks import InputError
from sectome.metrics import adapted_rand_error, average_precision
from sectome.phantom import make_phantom
from sectome.postprocess import BoundaryContourToLabels, BoundaryContourToLabelsd, boundary_contour_to_labels
from sectome.transforms import boundary_contour, distance_targets

SIZE_NM = (8, 6, 7)
ALL_SIZES = {"min_seed_voxels": 0, "min_size_voxels": 0}


def row(foreground, contour, distance=None):
    """Probabilities, and a distance, of a volume of one row."""
    probabilities = np.array([foreground, contour], np.float32)[:, None, None]
    return probabilities, None if distance is None else np.array(distance, np.float32)[None, None]


def predicted(labels, seed=0):
    """Foreground, contour and distance as a network might give them: soft and noisy."""
    rng = np.random.default_rng(seed)
    targets, _ = boundary_contour(torch.from_numpy(labels), in_plane=False)
    distance = distance_targets(torch.from_numpy(labels), SIZE_NM, scale_nm=20)[0][0].numpy()
    noise = ndimage.gaussian_filter(rng.normal(size=(3, *labels.shape)), (0, 0.5, 1, 1))
    soft = ndimage.gaussian_filter(targets.numpy().astype(float), (0, 0.2, 0.5, 0.5))
    probabilities = 1 / (1 + np.exp(4 - 8 * soft + 1.5 * noise[:2]))
    return probabilities.astype(np.float32), np.clip(distance + 0.2 * noise[2], -1, 1).astype(np.float32)


def reference_flood(levels, seeds):
    """A heap of all voxels that wait: the highest first, and the longest waiting one among equals."""
    labels = seeds.copy()
    places = [tuple(place) for place in np.argwhere(seeds)]
    heap = [(-int(levels[place]), age, place) for age, place in enumerate(places)]
    heapq.heapify(heap)
    age = len(heap)
    while heap:
        _, _, (z, y, x) = heapq.heappop(heap)
        for other in ((z - 1, y, x), (z, y - 1, x), (z, y, x - 1), (z, y, x + 1), (z, y + 1, x), (z + 1, y, x)):
            within = all(0 <= a < extent for a, extent in zip(other, levels.shape, strict=True))
            if within and levels[other] and not labels[other]:
                labels[other] = labels[z, y, x]
                heapq.heappush(heap, (-int(levels[other]), age, other))
                age += 1
    return labels


def reference_bcd(probabilities, distance):
    """The steps of the field with the watershed of scikit-image, on as many levels."""
    foreground, contour = probabilities
    depth = np.ones_like(foreground) if distance is None else distance
    inside = (foreground >= 0.85) & (depth > 0)
    seeds = label(inside & (foreground >= 0.9) & (contour < 0.8) & (depth >= 0.5), connectivity=1)
    seeds = np.where(np.bincount(seeds.ravel())[seeds] >= 32, seeds, 0)
    grown = watershed(-np.floor(254 * foreground * (1 - contour) * depth), seeds, mask=inside)
    return np.where(np.bincount(grown.ravel())[grown] >= 128, grown, 0)


@pytest.fixture(scope="module")
def touching():
    """Labels (24, 36, 40) of bodies that touch, with some background between."""
    rng = np.random.default_rng(0)
    centres = rng.integers(0, (24, 36, 40), (24, 3))
    distances = np.linalg.norm(
        (np.moveaxis(np.indices((24, 36, 40)), 0, -1)[..., None, :] - centres) * SIZE_NM, axis=-1
    )
    labels = distances.argmin(axis=-1) + 1
    return np.where(labels % 4 == 0, 0, labels)


@pytest.fixture(scope="module")
def mitochondria():
    return make_phantom((16, 96, 96), (30, 6, 6), 0).mitochondria


def test_a_contour_splits_two_that_touch():
    probabilities, _ = row([0, 1, 1, 1, 1, 1, 1, 1, 0], [1, 0.7, 0.8, 0.82, 0.84, 0.86, 0.99, 0, 1])
    got = boundary_contour_to_labels(probabilities, **ALL_SIZES)
    # They meet where the contour is most likely, not half way between the seeds.
    assert got.tolist() == [[[0, 1, 1, 1, 1, 1, 2, 2, 0]]]
    assert got.dtype == np.uint8


def test_without_a_contour_they_are_one():
    probabilities, _ = row([0, 1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 1, 1])
    assert boundary_contour_to_labels(probabilities, **ALL_SIZES).tolist() == [[[0, 1, 1, 1, 1, 1, 0]]]


def test_a_saturated_contour_is_shared_half_and_half():
    probabilities, _ = row([1] * 8, [0, 1, 1, 1, 1, 1, 1, 0])
    assert boundary_contour_to_labels(probabilities, **ALL_SIZES).tolist() == [[[1, 1, 1, 1, 2, 2, 2, 2]]]


def test_foreground_without_a_seed_is_background():
    probabilities, _ = row([1, 1, 0, 0.86, 0.89, 0, 1, 1], [0, 0, 0, 0, 0, 0, 1, 1])
    assert boundary_contour_to_labels(probabilities, **ALL_SIZES).tolist() == [[[1, 1, 0, 0, 0, 0, 0, 0]]]


def test_seeds_hang_together_by_faces():
    probabilities = np.ones((2, 1, 2, 2), np.float32)
    probabilities[1, 0] = [[0, 1], [1, 0]]
    assert sorted(np.unique(boundary_contour_to_labels(probabilities, **ALL_SIZES))) == [1, 2]


def test_small_seeds_do_not_grow_and_small_objects_are_dropped():
    probabilities, _ = row([1, 1, 1, 0, 1, 1, 1, 1, 0, 1], [0, 0, 1, 0, 0, 1, 1, 1, 0, 0])
    assert boundary_contour_to_labels(probabilities, min_seed_voxels=0, min_size_voxels=3).tolist() == [
        [[1, 1, 1, 0, 2, 2, 2, 2, 0, 0]]
    ]
    assert boundary_contour_to_labels(probabilities, min_seed_voxels=2, min_size_voxels=0).tolist() == [
        [[1, 1, 1, 0, 0, 0, 0, 0, 0, 0]]
    ]


def test_a_distance_splits_a_dumbbell_that_the_contour_does_not():
    distance = [-0.2, 0.3, 0.9, 0.6, 0.4, 0.1, 0.2, 0.9, 0.3, 0]
    probabilities, depth = row([0, 1, 1, 1, 1, 1, 1, 1, 1, 1], [0] * 10, distance)
    assert boundary_contour_to_labels(probabilities, **ALL_SIZES).max() == 1
    got = boundary_contour_to_labels(probabilities, depth, **ALL_SIZES)
    assert got.tolist() == [[[0, 1, 1, 1, 1, 1, 2, 2, 2, 0]]]
    assert boundary_contour_to_labels(probabilities, depth, seed_distance=0.05, **ALL_SIZES).max() == 1


@pytest.mark.parametrize("seed", range(4))
def test_plateaus_are_shared_as_by_the_reference(seed):
    rng = np.random.default_rng(seed)
    foreground = rng.random((5, 7, 9)) < 0.9
    contour = rng.choice([0, 0.8, 0.9, 1], foreground.shape, p=[0.1, 0.3, 0.3, 0.3])
    probabilities = np.stack([foreground, contour]).astype(np.float32)
    seeds, count = ndimage.label(foreground & (contour == 0))
    levels = foreground * (1 + (254 * (1 - probabilities[1])).astype(int))
    assert count > 5
    expected = reference_flood(levels, seeds)
    np.testing.assert_array_equal(boundary_contour_to_labels(probabilities, **ALL_SIZES), expected)


@pytest.mark.parametrize("with_distance", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_objects_agree_with_the_reference(touching, seed, with_distance):
    probabilities, distance = predicted(touching, seed)
    depth = distance if with_distance else None
    expected = reference_bcd(probabilities, depth)
    got = boundary_contour_to_labels(probabilities, depth)
    assert expected.max() > 5
    np.testing.assert_array_equal(got > 0, expected > 0)
    assert adapted_rand_error(expected, got) <= 0.01


@pytest.mark.parametrize("scaling", [None, "tanh", "object"])
@pytest.mark.parametrize("in_plane", [False, True])
def test_targets_give_the_mitochondria_back(mitochondria, scaling, in_plane):
    truth = torch.from_numpy(mitochondria.astype(np.int64))
    targets = boundary_contour(truth, in_plane=in_plane)[0].numpy() * np.uint8(255)
    distance = None
    if scaling is not None:
        distance = distance_targets(truth, (30, 6, 6), scaling, scale_nm=60)[0][0].numpy()
    got = boundary_contour_to_labels(targets, distance, min_seed_voxels=1, min_size_voxels=16)
    large = np.where(np.bincount(mitochondria.ravel())[mitochondria] >= 16, mitochondria, 0)
    assert got.max() >= 2
    assert average_precision(large, got, 0.75, ignore_label=None) == 1


def test_bytes_give_what_floats_give_and_no_input_is_touched(touching):
    floats, distance = predicted(touching)
    stored = np.round(floats * 255).astype(np.uint8)
    arrays = (stored, stored / np.float32(255), distance)
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    for depth in (None, distance):
        np.testing.assert_array_equal(*(boundary_contour_to_labels(array, depth) for array in arrays[:2]))
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_distance_of_other_axes_order_in_memory_and_type_gives_the_same(touching):
    probabilities, distance = predicted(touching)
    expected = boundary_contour_to_labels(probabilities, distance)
    got = boundary_contour_to_labels(np.asfortranarray(probabilities), np.asfortranarray(distance, dtype=np.float64))
    np.testing.assert_array_equal(got, expected)


def test_rounding_beyond_0_and_1_is_no_background():
    probabilities, depth = row([-1e-5, 1 + 1e-5, 1 + 1e-5, 1], [1, -1e-5, 1 + 1e-5, 1], [-1, 1 + 1e-5, 1, 1])
    for distance in (None, depth):
        assert boundary_contour_to_labels(probabilities, distance, **ALL_SIZES).tolist() == [[[0, 1, 1, 1]]]


def test_one_section_is_enough(touching):
    targets, _ = boundary_contour(torch.from_numpy(touching[5:6]))
    got = boundary_contour_to_labels(targets.numpy().astype(np.float32), min_seed_voxels=4, min_size_voxels=16)
    assert got.shape == touching[5:6].shape
    assert got.max() > 3


def test_nothing_in_the_foreground_is_all_background():
    got = boundary_contour_to_labels(np.zeros((2, 3, 4, 5), np.float32), np.full((3, 4, 5), -1, np.float32))
    assert got.shape == (3, 4, 5)
    assert not got.any()


@pytest.mark.parametrize(
    ("probabilities", "options", "message"),
    [
        (np.zeros((3, 2, 2, 2)), {}, r"probabilities must have axes \(2, Z, Y, X\), .* got shape \(3, 2, 2, 2\)"),
        (np.zeros((2, 2, 2)), {}, r"probabilities must have axes \(2, Z, Y, X\), .* got shape \(2, 2, 2\)"),
        (np.zeros((2, 0, 2, 2)), {}, r"probabilities must hold at least one voxel, got shape \(2, 0, 2, 2\)"),
        (np.zeros((2, 2, 2, 2), int), {}, "probabilities must be floats in 0..1 or uint8 in 0..255, got int64"),
        (np.full((2, 2, 2, 2), np.nan), {}, "probabilities must lie in 0..1, got values in nan..nan"),
        (np.full((2, 2, 2, 2), 3.5), {}, "probabilities must lie in 0..1, got values in 3.5..3.5"),
        (
            np.zeros((2, 2, 2, 2)),
            {"distance": np.zeros((2, 2, 3))},
            r"distance must have .* \(2, 2, 2\), got \(2, 2, 3\)",
        ),
        (
            np.zeros((2, 2, 2, 2)),
            {"distance": np.full((2, 2, 2), 40.0)},
            "distance must lie in -1..1, got values in 40",
        ),
        (np.zeros((2, 2, 2, 2)), {"distance": np.full((2, 2, 2), np.nan)}, "distance must lie in -1..1, got values in"),
        (np.zeros((2, 2, 2, 2)), {"distance": np.ones((2, 2, 2), int)}, "distance must be floats in -1..1, got int64"),
        (np.zeros((2, 2, 2, 2)), {"seed_foreground": 90}, "seed_foreground must lie in 0..1, got 90"),
        (np.zeros((2, 2, 2, 2)), {"seed_contour": -1}, "seed_contour must lie in 0..1, got -1"),
        (np.zeros((2, 2, 2, 2)), {"seed_distance": 2}, "seed_distance must lie in 0..1, got 2"),
        (np.zeros((2, 2, 2, 2)), {"foreground": 85}, "foreground must lie in 0..1, got 85"),
        (np.zeros((2, 2, 2, 2)), {"min_seed_voxels": -1}, "min_seed_voxels must be a number of at least 0, got -1"),
        (np.zeros((2, 2, 2, 2)), {"min_size_voxels": -1}, "min_size_voxels must be a number of at least 0, got -1"),
    ],
)
def test_bad_input_is_refused(probabilities, options, message):
    with pytest.raises(InputError, match=message):
        boundary_contour_to_labels(probabilities, **options)


@pytest.mark.parametrize("channels", [2, 3])
def test_the_transforms_keep_metadata_and_take_a_third_channel_as_distance(touching, channels):
    probabilities, distance = predicted(touching)
    stacked = np.concatenate([probabilities, distance[None]])[:channels]
    predictions = MetaTensor(torch.from_numpy(stacked), meta={"voxel_size_nm": (8.0, 6.0, 7.0)})
    got = BoundaryContourToLabels(min_size_voxels=64)(predictions)
    expected = boundary_contour_to_labels(probabilities, distance if channels == 3 else None, min_size_voxels=64)
    assert got.dtype == torch.int32
    np.testing.assert_array_equal(got.numpy()[0], expected)
    assert got.meta["voxel_size_nm"] == (8.0, 6.0, 7.0)
    result = BoundaryContourToLabelsd("pred", min_size_voxels=64)({"pred": predictions, "image": 1})
    assert torch.equal(result["pred"], got)
    assert result["image"] == 1
    for plain in (predictions.as_tensor(), predictions.numpy()):
        assert torch.equal(BoundaryContourToLabels(min_size_voxels=64)(plain).as_tensor(), got.as_tensor())


def test_the_transform_refuses_other_channels():
    with pytest.raises(InputError, match=r"axes \(2 or 3, Z, Y, X\), got shape \(4, 2, 2, 2\)"):
        BoundaryContourToLabels()(torch.zeros(4, 2, 2, 2))


def test_the_dictionary_transform_may_miss_keys():
    assert BoundaryContourToLabelsd("pred", allow_missing_keys=True)({"image": 1}) == {"image": 1}
