"""One place for all choices: what is allowed, how it is changed, and how a file beside a model keeps it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.neighbourhoods import ISOTROPIC, NEAREST
from sectome.postprocess import (
    AffinitiesToLabels,
    AffinitiesToLabelsd,
    SegmentationOptions,
    affinities_to_labels,
    load_options,
    save_options,
    tuned_path,
)
from sectome.postprocess.segmentation_options import check_used

CHOSEN = SegmentationOptions(
    method="quantile_75",
    threshold=0.4,
    fragments="watershed",
    high="99.5%",
    sigma_nm=12.0,
    strides=(2, 3, 4),
    large_voxels=10**6,
)


def test_the_defaults_are_allowed_and_cannot_be_changed():
    options = SegmentationOptions()
    assert options.method == "mean"
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.method = "mutex"


@pytest.mark.parametrize("method", ["mean", "mutex", "quantile_0", "quantile_100", "max_1"])
def test_every_method_has_a_name(method):
    assert SegmentationOptions(method=method).method == method


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("method", "median", r"method must be mean, quantile_Q \(as in quantile_75\), max_K or mutex, got 'median'"),
        ("method", "quantile_101", "method must be mean, .* got 'quantile_101'"),
        ("method", "max_0", "method must be mean, .* got 'max_0'"),
        ("threshold", 1.5, r"threshold must lie in 0\.\.1, got 1.5"),
        ("threshold", float("nan"), r"threshold must lie in 0\.\.1, got nan"),
        ("fragments", "seeds", "fragments must be one of 'distance', 'watershed', got 'seeds'"),
        ("boundary_threshold", 85, r"boundary_threshold must lie in 0\.\.1, got 85"),
        ("boundary_threshold", "85", "boundary_threshold must be a number in 0..1 or a percentile .* got '85'"),
        ("sigma_nm", -1, "sigma_nm must be a number of at least 0, got -1"),
        ("low", "101%", "low must be a number in 0..1 or a percentile as in '99.5%', got '101%'"),
        ("high", -0.1, r"high must lie in 0\.\.1, got -0.1"),
        ("foreground_threshold", 2, r"foreground_threshold must lie in 0\.\.1, got 2"),
        ("long_range", "some", "long_range must be one of 'no', 'touching', 'all', got 'some'"),
        ("min_size_voxels", -1, "min_size_voxels must be a number of at least 0, got -1"),
        ("small_voxels", -1, "small_voxels must be a number of at least 0, got -1"),
        ("small_threshold", 1.1, r"small_threshold must lie in 0\.\.1, got 1.1"),
        ("large_voxels", 0, "large_voxels must be a number of at least 1, got 0"),
        ("strides", (1, 0, 3), r"strides must be three whole numbers of at least 1 \(z, y, x\), got \[1, 0, 3\]"),
        ("strides", (1, 3), "strides must be three whole numbers"),
        ("strides", (1, 1.5, 3), "strides must be three whole numbers"),
        ("bias", -1.1, r"bias must lie in -1\.\.1, got -1.1"),
        ("bias", True, r"bias must lie in -1\.\.1, got True"),
        ("threshold", True, r"threshold must lie in 0\.\.1, got True"),
        ("bias", "low", r"bias must lie in -1\.\.1, got 'low'"),
        ("per_section", "false", "per_section must be true or false, got 'false'"),
        ("per_section", 1, "per_section must be true or false, got 1"),
    ],
)
def test_bad_values_are_refused(name, value, sentence):
    with pytest.raises(InputError, match=sentence):
        SegmentationOptions(**{name: value})
    with pytest.raises(InputError, match=sentence):
        SegmentationOptions().but(**{name: value})


def test_some_options_change_and_none_leaves_them():
    changed = CHOSEN.but(threshold=0.7, method=None, large_voxels=None)
    assert changed == dataclasses.replace(CHOSEN, threshold=0.7)
    assert CHOSEN.threshold == 0.4


def test_strides_are_whole_numbers_whatever_holds_them():
    assert SegmentationOptions(strides=[1.0, 2, np.int64(3)]) == SegmentationOptions(strides=(1, 2, 3))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("treshold", r"unknown segmentation option 'treshold', did you mean 'threshold'"),
        ("stride", r"did you mean 'strides'"),
        ("colour", r"unknown segmentation option 'colour', expected one of bias, boundary_threshold, "),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_known(name, sentence):
    with pytest.raises(InputError, match=sentence):
        SegmentationOptions().but(**{name: 1})
    with pytest.raises(InputError, match=sentence):
        affinities_to_labels(np.ones((3, 1, 1, 2), np.float32), NEAREST, **{name: 1})


def test_options_lie_beside_a_model_or_in_its_folder(tmp_path):
    assert tuned_path(tmp_path / "model.pt") == tmp_path / "segmentation.json"
    assert tuned_path(tmp_path) == tmp_path / "segmentation.json"


def test_what_is_saved_is_loaded(tmp_path):
    evidence = {"scores": {"voi": 0.5}, "curve": [{"threshold": 0.4}]}
    save_options(tuned_path(tmp_path), CHOSEN, evidence)
    for model in (tmp_path, tmp_path / "model.pt", str(tmp_path / "model.pt")):
        assert load_options(model) == CHOSEN
    assert hash(load_options(tmp_path)) == hash(CHOSEN)
    kept = json.loads((tmp_path / "segmentation.json").read_text())
    assert {name: kept[name] for name in evidence} == evidence
    assert [path.name for path in tmp_path.iterdir()] == ["segmentation.json"]


def test_numbers_of_numpy_are_saved_as_plain_ones(tmp_path):
    options = SegmentationOptions(
        min_size_voxels=np.int64(50), sigma_nm=np.float32(12), boundary_threshold=np.float16(0.5)
    )
    save_options(tuned_path(tmp_path), options, {})
    assert load_options(tmp_path) == options


def test_no_file_is_no_choice(tmp_path):
    assert load_options(tmp_path / "model.pt") is None
    assert load_options(tmp_path / "nowhere" / "model.pt") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[1, 2]", "list indices"),
        ("{}", "'options'"),
        ('{"options": {"treshold": 0.4}}', r"did you mean 'threshold'"),
        ('{"options": {"threshold": 4}}', r"threshold must lie in 0\.\.1, got 4"),
        ('{"options": {"threshold": "high"}}', "threshold"),
        ('{"options": {"strides": 3}}', "strides"),
        ('{"options": {"fragments": ["distance"]}}', "fragments must be one of"),
        ('{"options": [1]}', "mapping"),
        ("\xff", ""),
    ],
)
def test_a_broken_file_is_refused(tmp_path, text, reason):
    (tmp_path / "segmentation.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(
        InputError, match=rf"segmentation.json must hold segmentation options as tuning wrote.*{reason}"
    ):
        load_options(tmp_path)


def test_a_model_whose_weights_are_in_torchscript_alone_is_there(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"channels": None}))
    assert SegmentationOptions.for_model(tmp_path / "model.pt") == SegmentationOptions()


@pytest.mark.parametrize("dictionary", [False, True])
def test_a_transform_takes_the_file_beside_the_model_and_what_is_given_wins(tmp_path, dictionary):
    def options(**given):
        if dictionary:
            return AffinitiesToLabelsd("affinities", NEAREST, **given).transform.options
        return AffinitiesToLabels(NEAREST, **given).options

    model = str(tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"expected a trained model at .*model.pt, got none"):
        options(checkpoint=model)
    Path(model).touch()
    assert options(checkpoint=model) == options() == SegmentationOptions()
    save_options(tuned_path(model), CHOSEN, {})
    assert options(checkpoint=model) == CHOSEN
    assert options(checkpoint=model, threshold=0.6, method=None) == CHOSEN.but(threshold=0.6)
    assert options() == SegmentationOptions()
    with pytest.raises(InputError, match=r"did you mean 'threshold'"):
        options(checkpoint=model, thresholds=0.5)


def test_the_transforms_segment_by_the_file_beside_the_model(tmp_path, bodies, predicted):
    affinities = predicted(bodies, offsets=ISOTROPIC)
    expected = affinities_to_labels(affinities, ISOTROPIC, **vars(CHOSEN))
    save_options(tuned_path(tmp_path), CHOSEN, {})
    labels = AffinitiesToLabels(ISOTROPIC, checkpoint=str(tmp_path))(torch.from_numpy(affinities))
    assert labels.dtype == torch.int32
    np.testing.assert_array_equal(labels.numpy()[0], expected)
    each = AffinitiesToLabelsd("affinities", ISOTROPIC, checkpoint=str(tmp_path))({"affinities": affinities})
    np.testing.assert_array_equal(each["affinities"].numpy(), labels.numpy())


@pytest.mark.parametrize(
    ("options", "idle"),
    [
        (SegmentationOptions(method="mutex"), "threshold"),
        (SegmentationOptions(method="mutex", fragments="watershed"), "boundary_threshold"),
        (SegmentationOptions(fragments="watershed"), "boundary_threshold"),
        (SegmentationOptions(method="max_3"), "bias"),
    ],
)
def test_what_is_given_must_do_something(options, idle):
    check_used(options, {"min_size_voxels": 3, "foreground_threshold": 0.1, idle: None})
    with pytest.raises(InputError, match=f"{idle} must be left out with (method|fragments) .* got 0"):
        check_used(options, {"min_size_voxels": 3, idle: 0})
