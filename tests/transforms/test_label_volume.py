"""What all label transforms refuse, and their common ground."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.transforms import (
    AffinityTargetsd,
    BoundaryContourd,
    DistanceTargetsd,
    ErodeBordersd,
    IgnoreBordersd,
    Relabeld,
    SplitDisconnectedd,
)
from sectome.transforms.label_volume import near_others

TRANSFORMS = [
    AffinityTargetsd("label"),
    BoundaryContourd("label"),
    DistanceTargetsd("label", voxel_size_nm=(30, 6, 6)),
    IgnoreBordersd("label"),
    Relabeld("label"),
    SplitDisconnectedd("label"),
]


def reference_near(labels: np.ndarray, steps: int, in_plane: bool) -> tuple[np.ndarray, np.ndarray]:
    near, beside = np.zeros(labels.shape, bool), np.zeros(labels.shape, bool)
    for z, y, x in np.ndindex(*labels.shape):
        above = slice(z, z + 1) if in_plane else slice(max(0, z - steps), z + steps + 1)
        window = labels[above, max(0, y - steps) : y + steps + 1, max(0, x - steps) : x + steps + 1]
        near[z, y, x] = len(np.unique(window[window >= 0])) > 1
        beside[z, y, x] = (window < 0).any()
    return near, beside


@pytest.mark.parametrize("steps", [0, 1, 2, 9])
@pytest.mark.parametrize("in_plane", [False, True])
@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.uint8])
def test_near_others_equals_the_slow_twin(steps, in_plane, dtype):
    labels = np.random.default_rng(0).integers(-1, 3, (4, 5, 7)).repeat(2, axis=1).repeat(2, axis=2)
    labels = np.maximum(labels, 0).astype(dtype) if dtype == np.uint8 else labels.astype(dtype)
    for result, expected in zip(
        near_others(torch.from_numpy(labels), steps, in_plane), reference_near(labels, steps, in_plane), strict=True
    ):
        assert np.array_equal(result.numpy(), expected)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_floats_masks_and_other_negatives_are_refused(transform):
    with pytest.raises(InputError, match=r"labels must be integers, one per object, got torch\.float32"):
        transform({"label": torch.ones(1, 2, 3, 4)})
    with pytest.raises(InputError, match=r"labels must be integers, one per object, got torch\.bool"):
        transform({"label": torch.ones(1, 2, 3, 4, dtype=torch.bool)})
    with pytest.raises(InputError, match=r"labels must be -1 \(unlabelled\), 0 \(background\) or positive, got -7"):
        transform({"label": torch.full((1, 2, 3, 4), -7)})


@pytest.mark.parametrize("transform", [*TRANSFORMS, ErodeBordersd("label")])
def test_arrays_and_types_that_torch_does_not_compute_with_are_refused(transform):
    with pytest.raises(InputError, match=r"labels must be a tensor, as torch\.from_numpy makes one, got ndarray"):
        transform({"label": np.ones((1, 2, 3, 4), np.int64)})
    for dtype in (torch.uint16, torch.uint64):
        with pytest.raises(InputError, match=rf"labels must be signed integers or uint8, .*, got {dtype}"):
            transform({"label": torch.ones(1, 2, 3, 4, dtype=dtype)})


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_input_and_other_keys_stay_and_empty_labels_are_fine(transform):
    labels = torch.from_numpy(np.random.default_rng(0).integers(-1, 4, (1, 4, 5, 6)))
    before, note = labels.clone(), object()
    result = transform({"label": labels, "note": note})
    assert result["note"] is note
    for key in result:
        if key not in ("note", "label"):
            result[key].zero_()
    assert torch.equal(labels, before)
    for value in (-1, 0, 5):
        result = transform({"label": torch.full((1, 4, 5, 6), value)})
        assert all(one.isfinite().all() for one in result.values())


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_missing_key_is_refused(transform):
    with pytest.raises(InputError, match=r"keys of \w+ must be among those of a sample \(image\), got label"):
        transform({"image": torch.ones(1, 2, 3, 4)})


def test_labels_without_room_for_unlabelled_are_refused():
    with pytest.raises(InputError, match=r"labels must be signed integers, which have room for -1, got torch\.uint8"):
        IgnoreBordersd("label")({"label": torch.ones(1, 2, 3, 4, dtype=torch.uint8)})


@pytest.mark.parametrize("transform", TRANSFORMS[:3])
def test_targets_are_made_of_one_channel(transform):
    with pytest.raises(InputError, match=r"expected labels \(1, Z, Y, X\), got shape \(2, 2, 3, 4\)"):
        transform({"label": torch.ones(2, 2, 3, 4, dtype=torch.int64)})
    with pytest.raises(InputError, match="postfix of AffinityTargetsd must not be empty"):
        AffinityTargetsd("label", postfix="")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (BoundaryContourd, {"in_plane": "no"}),
        (DistanceTargetsd, {"voxel_size_nm": (30, 6, 6), "signed": "no"}),
        (DistanceTargetsd, {"voxel_size_nm": (30, 6, 6), "per_section": "no"}),
        (ErodeBordersd, {"in_plane": "no"}),
        (IgnoreBordersd, {"in_plane": "no"}),
    ],
)
def test_a_switch_that_is_a_word_is_refused(kind, options):
    with pytest.raises(InputError, match="must be true or false, got 'no'"):
        kind("label", **options)
