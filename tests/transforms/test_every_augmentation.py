"""The rules that each random transform keeps. They are found in the package: a new one cannot escape."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import warnings

import numpy as np
import pytest
import torch
from monai.transforms import Compose, OneOf, Randomizable
from monai.utils import MAX_SEED

import sectome.transforms
from sectome.checks import InputError
from sectome.transforms import Augmentation, Augmentationd, BatchAugmentation, Misalignmentd, check_labels_move
from sectome.transforms.augmentation import reseed_all
from sectome.transforms.normal_noise import Noise

MODULES = [
    importlib.import_module(f"sectome.transforms.{found.name}")
    for found in pkgutil.iter_modules(sectome.transforms.__path__)
]
CLASSES = {
    thing
    for module in MODULES
    for thing in vars(module).values()
    if inspect.isclass(thing) and thing.__module__ == module.__name__
}
KINDS = {
    one for one in CLASSES - {Augmentationd, Noise} if issubclass(one, Randomizable) and not inspect.isabstract(one)
}
RANDOM = sorted(KINDS, key=lambda one: one.__name__)
ARRAY = [one for one in RANDOM if issubclass(one, Augmentation)]
DICTIONARY = [one for one in RANDOM if issubclass(one, Augmentationd)]

SHAPE = (1, 6, 24, 24)


@pytest.fixture
def crop():
    """Noise with some structure in it, and labels in blocks."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(1, 9, (3, 6, 6)).repeat(2, 0).repeat(4, 1).repeat(4, 2)
    image = coarse / 4 - 1 + rng.normal(0, 0.3, SHAPE[1:])
    return {"image": torch.from_numpy(image.astype(np.float32))[None], "label": torch.from_numpy(coarse)[None]}


def keys_of(kind):
    """Return the keys that a transform may change: labels only where it moves them."""
    return ["image"] if kind(keys="image").transform.grey_only else ["image", "label"]


def always(kind, keys=None):
    return kind(keys=keys or keys_of(kind), prob=1.0)


def equal(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


def test_every_random_transform_keeps_these_rules():
    assert len(ARRAY) + len(DICTIONARY) == len(RANDOM)
    assert {f"{one.__name__}d" for one in ARRAY} == {one.__name__ for one in DICTIONARY}
    assert {one.__name__ for one in RANDOM} <= set(sectome.transforms.__all__)


@pytest.mark.parametrize("kind", DICTIONARY)
def test_the_twins_take_the_same_options(kind):
    array = next(one for one in ARRAY if f"{one.__name__}d" == kind.__name__)
    options = dict(inspect.signature(array).parameters)
    twin = dict(inspect.signature(kind).parameters)
    assert [*twin] == ["keys", *options, "allow_missing_keys"]
    assert {name: twin[name].default for name in options} == {name: one.default for name, one in options.items()}
    assert isinstance(kind(keys="image").transform, array)


@pytest.mark.parametrize("kind", DICTIONARY)
def test_probability_0_is_the_identity_and_said(kind, crop):
    with pytest.warns(UserWarning, match=r"changes nothing with prob 0"):
        transform = kind(keys=keys_of(kind), prob=0.0)
    for _ in range(5):
        assert equal(transform(crop), crop)


@pytest.mark.parametrize("kind", DICTIONARY)
def test_probability_1_changes_something(kind, crop):
    transform = always(kind).set_random_state(seed=0)
    assert any(not torch.equal(transform(crop)["image"], crop["image"]) for _ in range(5))


@pytest.mark.parametrize("kind", DICTIONARY)
def test_the_same_seed_gives_the_same_output_and_another_another(kind, crop):
    first, second = (always(kind).set_random_state(seed=5) for _ in range(2))
    other = always(kind).set_random_state(seed=6)
    one = [first(crop) for _ in range(6)]
    assert all(equal(a, second(crop)) for a in one)
    assert any(not equal(a, other(crop)) for a in one)


def test_generators_that_are_seeded_anew_draw_as_monai_s_new_ones():
    ours, monai = (Compose([always(kind) for kind in DICTIONARY]) for _ in range(2))
    for seed in (0, 5, 2**33 + 1):
        reseed_all(ours, seed)
        Randomizable.set_random_state(monai, seed)
        for one, other in zip(ours.transforms, monai.transforms, strict=True):
            Randomizable.set_random_state(other.transform, int(monai.R.randint(MAX_SEED, dtype="uint32")))
            assert np.array_equal(one.transform.R.random_sample(3), other.transform.R.random_sample(3))


@pytest.mark.parametrize("kind", DICTIONARY)
def test_nothing_global_is_drawn_from_or_seeded(kind, crop):
    transform = always(kind).set_random_state(seed=5)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    transform(crop)
    after = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert torch.equal(after[0], torch.rand(3))
    assert np.array_equal(after[1], np.random.rand(3))  # noqa: NPY002


@pytest.mark.parametrize("kind", DICTIONARY)
def test_keys_agree(kind, crop):
    transform = always(kind, ["image", "other"]).set_random_state(seed=3)
    for _ in range(6):
        result = transform({"image": crop["image"], "other": crop["image"].clone()})
        assert torch.equal(result["image"], result["other"])


@pytest.mark.parametrize("kind", DICTIONARY)
def test_the_input_and_other_keys_stay_as_they_are(kind, crop):
    before = {key: value.clone() for key, value in crop.items()}
    note = object()
    for _ in range(4):
        result = always(kind)({**crop, "note": note})
        for key in keys_of(kind):
            result[key].zero_()
        assert equal(crop, before)
        assert result["note"] is note


@pytest.mark.parametrize("kind", DICTIONARY)
def test_shape_type_and_finite_values_are_kept(kind, crop):
    transform = always(kind).set_random_state(seed=2)
    for _ in range(10):
        result = transform(crop)
        for key, value in crop.items():
            assert (result[key].shape, result[key].dtype) == (value.shape, value.dtype)
        assert result["image"].isfinite().all()
        assert set(result["label"].unique().tolist()) <= {0, *crop["label"].unique().tolist()}


@pytest.mark.parametrize("kind", DICTIONARY)
def test_labels_are_moved_or_refused_and_never_turned_into_others(kind, crop):
    transform = always(kind, ["image", "label"])
    if transform.transform.grey_only:
        with pytest.raises(InputError, match=r"changes grey values and expected floats, got torch\.int64"):
            transform(crop)
    else:
        transform(crop)


@pytest.mark.parametrize("kind", [one for one in ARRAY if not one.grey_only])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2", np.uint32, np.uint64, bool])
def test_labels_of_any_type_move_as_whole_numbers_do(kind, dtype, crop):
    greatest = 1 if dtype is bool else np.iinfo(dtype).max
    labels = ((crop["label"].numpy() > 4) * np.uint64(greatest)).astype(dtype)
    transform = kind(prob=1.0).set_random_state(seed=0)
    where = transform(torch.from_numpy(labels > 0).long()).numpy()
    moved = transform(labels, randomize=False).numpy()
    assert moved.dtype == labels.dtype.newbyteorder("=")
    assert np.array_equal(moved, where * np.uint64(greatest))


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64])
def test_a_batch_of_labels_of_several_unsigned_bytes_is_moved(dtype, crop):
    augmentation = Compose([Misalignmentd("label", prob=0.5)])
    batch = torch.stack([crop["label"]] * 4)
    whole = BatchAugmentation(augmentation)({"label": batch.clone()}, range(4))["label"]
    moved = BatchAugmentation(augmentation)({"label": batch.to(dtype)}, range(4))["label"]
    assert moved.dtype == dtype
    assert torch.equal(moved.long(), whole)
    assert not torch.equal(whole, batch)


@pytest.mark.parametrize("kind", DICTIONARY)
def test_tissue_that_moves_without_its_labels_is_refused_where_it_would_mislead(kind):
    for keys in ("image", "label"):
        augmentation = Compose([kind(keys=keys)])
        if kind(keys=keys).transform.grey_only or kind.__name__ == "Misalignmentd":
            check_labels_move(augmentation)
        else:
            for one in (augmentation, Compose([OneOf([kind(keys=keys)])])):
                with pytest.raises(InputError, match=f"^{kind.__name__} moves tissue: .* image and label, got {keys}$"):
                    check_labels_move(one)
    check_labels_move(Compose([OneOf([kind(keys=["label", "image"])])]))


@pytest.mark.parametrize("kind", ARRAY)
def test_a_dictionary_is_sent_to_the_twin_that_takes_it(kind, crop):
    with pytest.raises(
        InputError, match=f"{kind.__name__} expected a crop .*, got a dictionary .*; use {kind.__name__}d "
    ):
        kind()(crop)


@pytest.mark.parametrize("kind", ARRAY)
def test_a_crop_without_channels_and_a_batch_are_refused(kind, crop):
    for image in (crop["image"][0], crop["image"][None]):
        with pytest.raises(InputError, match=rf"{kind.__name__} expected a crop \(C, Z, Y, X\), got shape \("):
            kind()(image)


@pytest.mark.parametrize("kind", DICTIONARY)
def test_a_batch_changes_as_its_crops_do(kind, crop):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        augmentation = Compose([kind(keys=keys_of(kind), prob=0.7)])
    crops, seeds = [], [11, 12, 13, 14]
    for number, seed in enumerate(seeds):
        augmentation.set_random_state(seed=seed)
        crops.append(augmentation({"image": crop["image"] + number, "label": crop["label"]}))
    batch = {
        "image": torch.stack([crop["image"] + number for number in range(4)]),
        "label": crop["label"].expand(4, -1, -1, -1, -1).clone(),
    }
    result = BatchAugmentation(augmentation)(batch, seeds)
    for key in crop:
        for number, one in enumerate(crops):
            torch.testing.assert_close(result[key][number], one[key], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", DICTIONARY)
def test_odd_and_thin_crops_and_several_channels_are_fine(kind):
    for shape in ((2, 1, 8, 8), (1, 2, 5, 5), (3, 7, 16, 16)):
        image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        if "isotropic" not in inspect.signature(kind).parameters or shape[2] == shape[3]:
            for seed in range(3):
                result = always(kind, "image").set_random_state(seed=seed)({"image": image})["image"]
                assert result.shape == shape
                assert result.isfinite().all()


@pytest.mark.parametrize("kind", DICTIONARY)
def test_it_is_pickled_for_a_worker_before_and_after_a_draw(kind, crop):
    transform = always(kind).set_random_state(seed=1)
    copy = pickle.loads(pickle.dumps(transform))
    assert equal(transform(crop), copy(crop))
    copy = pickle.loads(pickle.dumps(transform))
    assert equal(transform(crop), copy(crop))


@pytest.mark.parametrize("kind", DICTIONARY)
@pytest.mark.parametrize("prob", [-0.1, 1.5, "often", True])
def test_a_chance_that_is_none_is_refused(kind, prob):
    with pytest.raises(InputError, match=r"prob of \w+ must lie in 0\.\.1, got"):
        kind(keys="image", prob=prob)


@pytest.mark.parametrize("prob", [np.float32(0.5), np.int64(1)])
def test_a_chance_may_be_a_number_of_numpy(prob):
    chance = sectome.transforms.Contrast(prob=prob).prob
    assert chance == prob
    assert type(chance) is float


@pytest.mark.parametrize("kind", DICTIONARY)
def test_missing_keys_are_refused_or_allowed(kind, crop):
    with pytest.raises(InputError, match=r"must be among those of a sample \(image, label\), got absent"):
        always(kind, ["image", "absent"])(crop)
    transform = kind(keys="absent", prob=1.0, allow_missing_keys=True)
    assert equal(transform(crop), crop)


@pytest.mark.parametrize("kind", ARRAY)
def test_parameters_on_the_cpu_change_a_batch_on_another_device(kind):
    transform = kind(prob=1.0).set_random_state(seed=1)
    transform.randomize(SHAPE)
    if "seeds" in transform.parameters:
        pytest.skip("noise needs a generator, which the device without memory has not")
    kinds = [torch.float32] if kind.grey_only else [torch.float32, torch.int64]
    for dtype in kinds:
        images = torch.empty(2, *SHAPE, dtype=dtype, device="meta")
        result = transform.apply_each(images, [transform.parameters] * 2)
        assert (result.device.type, result.shape, result.dtype) == ("meta", images.shape, dtype)
