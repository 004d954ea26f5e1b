"""Tuning finds the best of its trials, and what it says of them is what the settings give."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy import ndimage

from sectome.affinities import labels_to_affinities
from sectome.checks import InputError
from sectome.metrics import LabelledAffinities, adapted_rand_error, tune, variation_of_information
from sectome.metrics.tune import BIASES, BOUNDARY_THRESHOLDS, STRIDES, THRESHOLDS
from sectome.neighbourhoods import ISOTROPIC, NEAREST
from sectome.postprocess import SegmentationOptions, affinities_to_labels

SIZE_NM = (30.0, 6.0, 8.0)


def make_volume(seed, shape=(6, 24, 28)):
    """Bodies of about 10 voxels across, blurred and noisy affinities, and a corner without truth."""
    rng = np.random.default_rng(seed)
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * SIZE_NM
    centres = np.stack([rng.integers(0, extent, 9) for extent in shape], axis=1) * SIZE_NM
    truth = np.linalg.norm(voxels[..., None, :] - centres, axis=-1).argmin(axis=-1) + 1
    true = labels_to_affinities(truth, ISOTROPIC)[0].astype(float)
    soft = np.stack([ndimage.gaussian_filter(channel, (0.3, 0.8, 0.8)) for channel in true])
    affinities = 1 / (1 + np.exp(-(6 * soft - 3 + rng.normal(size=soft.shape))))
    truth[:2, :6, :6] = 0
    return LabelledAffinities(affinities.astype(np.float32), truth, SIZE_NM)


@pytest.fixture(scope="module")
def volumes():
    return [make_volume(0), make_volume(1), make_volume(2)]


def nearest_only(volumes):
    return [volume._replace(affinities=volume.affinities[:3]) for volume in volumes]


def scores_of(options, volumes, offsets):
    """The mean (ARE, split, merge) of the segments that the options give."""
    scores = []
    for one in volumes:
        labels = affinities_to_labels(one.affinities, offsets, voxel_size_nm=one.voxel_size_nm, **asdict(options))
        scores.append((adapted_rand_error(one.truth, labels), *variation_of_information(one.truth, labels)))
    return np.mean(scores, axis=0)


@pytest.mark.parametrize("criterion", ["voi", "are"])
@pytest.mark.parametrize("methods", [("mean", "mutex"), ("quantile_50",), ("mutex",)])
def test_the_best_setting_has_the_smallest_error_and_its_scores_are_those_of_its_segments(volumes, methods, criterion):
    tuned = tune(volumes, ISOTROPIC, methods=methods, criterion=criterion, boundary_threshold=0.7)
    errors = [getattr(trial.scores, criterion) for trial in tuned.trials]
    assert getattr(tuned.best.scores, criterion) == min(errors) < np.median(errors)
    for trial in (tuned.best, tuned.trials[0], tuned.trials[-1], tuned.trials[len(errors) // 3]):
        assert trial.scores[1:] == pytest.approx(scores_of(trial.options, volumes, ISOTROPIC))
    assert {trial.options.method for trial in tuned.trials} == set(methods)


def test_every_setting_is_tried_once(volumes):
    tuned = tune(volumes[:1], ISOTROPIC)
    tried = [trial.options for trial in tuned.trials]
    assert len(set(tried)) == len(tried)
    assert len(tried) == 2 * len(BOUNDARY_THRESHOLDS) * len(THRESHOLDS) + len(BIASES) * len(STRIDES)
    assert {options.threshold for options in tried if options.method == "mean"} == set(THRESHOLDS)
    assert {(options.bias, options.strides) for options in tried if options.method == "mutex"} == {
        (bias, strides) for bias in BIASES for strides in STRIDES
    }


def test_offsets_decide_what_is_tried(volumes):
    tuned = tune(nearest_only(volumes), NEAREST, fragments="watershed")
    assert [trial.options.threshold for trial in tuned.trials] == list(THRESHOLDS)
    assert {trial.options.but(threshold=0.5) for trial in tuned.trials} == {
        SegmentationOptions(fragments="watershed", threshold=0.5)
    }


def test_what_is_given_is_not_tried(volumes):
    given = {
        "threshold": 0.37,
        "boundary_threshold": "25%",
        "long_range": "all",
        "bias": 0.05,
        "strides": (1, 2, 2),
        "foreground_threshold": 0.01,
    }
    tuned = tune(volumes[:1], ISOTROPIC, **given)
    expected = SegmentationOptions(**given)
    assert [trial.options for trial in tuned.trials] == [expected, expected.but(method="mutex")]
    assert tune(volumes[:1], ISOTROPIC, method=None, **given).best == tuned.best


def test_the_trials_along_the_threshold_differ_from_the_best_in_it_alone(volumes):
    tuned = tune(volumes[:1], ISOTROPIC, methods=("mean",))
    along = tuned.along_threshold()
    assert [trial.options.threshold for trial in along] == list(THRESHOLDS)
    assert tuned.best in along
    assert {trial.options.boundary_threshold for trial in along} == {tuned.best.options.boundary_threshold}


def test_the_evidence_is_a_json_file_of_what_varies(volumes):
    tuned = tune(volumes[:1], ISOTROPIC, boundary_threshold=0.7, long_range="no")
    evidence = json.loads(json.dumps(tuned.evidence()))
    assert evidence["scores"]["voi"] == tuned.best.scores.voi
    assert evidence["scores"]["are"] == tuned.best.scores.are
    assert len(evidence["curve"]) == len(tuned.trials)
    for entry, trial in zip(evidence["curve"], tuned.trials, strict=True):
        assert set(entry) == {"method", "threshold", "bias", "strides", "are", "voi_split", "voi_merge"}
        assert (entry["method"], entry["threshold"]) == (trial.options.method, trial.options.threshold)
        assert entry["are"] == trial.scores.are
    one = tune(volumes[:1], ISOTROPIC, methods=("mutex",), bias=0.0, strides=(1, 3, 3)).evidence()
    assert set(one["curve"][0]) == {"threshold", "are", "voi_split", "voi_merge"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"volumes": []}, "expected at least one volume with labels to tune on, got none"),
        ({"criterion": "iou"}, "criterion must be one of 'voi', 'are', got 'iou'"),
        ({"methods": ("mutex",)}, "methods must hold one that the 3 offsets allow, got mutex"),
        ({"methods": ()}, "methods must hold one that the 3 offsets allow, got none"),
        ({"methods": ("median",)}, "method must be mean, .* got 'median'"),
        ({"treshold": 0.5}, r"did you mean 'threshold'"),
        ({"offsets": ISOTROPIC}, "affinities must have 9 channels, one per offset, got 3"),
        ({"threads": 0}, "threads must be a whole number of at least 1, got 0"),
    ],
)
def test_what_cannot_be_tuned_is_refused(volumes, change, sentence):
    arguments = {"volumes": nearest_only(volumes), "offsets": NEAREST, **change}
    with pytest.raises(InputError, match=sentence):
        tune(arguments.pop("volumes"), arguments.pop("offsets"), **arguments)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [(np.zeros_like, "truth must hold at least one voxel that is not 0"), (np.float32, "integer labels, got float32")],
)
def test_a_truth_that_nothing_can_be_scored_on_is_refused_before_the_first_volume_is_segmented(
    volumes, change, sentence
):
    cannot_be_segmented = volumes[0]._replace(affinities=None)
    last = volumes[1]._replace(truth=change(volumes[1].truth))
    with pytest.raises(InputError, match=sentence):
        tune([cannot_be_segmented, last], ISOTROPIC)
