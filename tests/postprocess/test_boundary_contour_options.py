"""Options of foreground and contour: the function's own defaults, kept beside a model, never taken for affinities'."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.neighbourhoods import NEAREST
from sectome.postprocess import (
    BoundaryContourOptions,
    BoundaryContourToLabels,
    BoundaryContourToLabelsd,
    SegmentationOptions,
    affinities_to_labels,
    boundary_contour_to_labels,
    load_options,
    save_options,
    tuned_path,
)

CHOSEN = BoundaryContourOptions(seed_foreground=0.6, seed_contour=0.4, foreground=0.5, min_size_voxels=7)


def test_the_defaults_are_those_of_the_function():
    parameters = inspect.signature(boundary_contour_to_labels).parameters
    given = {name: one.default for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY}
    assert vars(BoundaryContourOptions()) == given


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("seed_foreground", 1.5, r"seed_foreground must lie in 0\.\.1, got 1.5"),
        ("seed_contour", -1, r"seed_contour must lie in 0\.\.1, got -1"),
        ("seed_distance", "far", r"seed_distance must lie in 0\.\.1, got 'far'"),
        ("foreground", float("nan"), r"foreground must lie in 0\.\.1, got nan"),
        ("min_seed_voxels", -1, "min_seed_voxels must be a number of at least 0, got -1"),
        ("min_size_voxels", -1, "min_size_voxels must be a number of at least 0, got -1"),
        ("seed_foregrund", 0.5, r"unknown segmentation option 'seed_foregrund', did you mean 'seed_foreground'"),
    ],
)
def test_bad_values_are_refused(name, value, sentence):
    with pytest.raises(InputError, match=sentence):
        BoundaryContourToLabels(**{name: value})


@pytest.mark.parametrize("number", [float, np.float64])
def test_a_threshold_takes_in_what_is_equal_to_it_whatever_holds_the_number(number):
    maps = np.zeros((2, 1, 1, 4), np.float32)
    maps[0], threshold = 0.9, number(0.9)
    found = boundary_contour_to_labels(
        maps, foreground=threshold, seed_foreground=threshold, min_seed_voxels=0, min_size_voxels=0
    )
    assert found.tolist() == [[[1] * 4]]
    affinities = np.full((3, 1, 1, 4), 0.9, np.float32)
    assert affinities_to_labels(affinities, NEAREST, foreground_threshold=threshold).tolist() == [[[1] * 4]]


@pytest.mark.parametrize("dictionary", [False, True])
def test_a_transform_takes_the_file_beside_the_model_and_what_is_given_wins(tmp_path, dictionary):
    def options(**given):
        if dictionary:
            return BoundaryContourToLabelsd("pred", **given).transform.options
        return BoundaryContourToLabels(**given).options

    model = str(tmp_path / "model.pt")
    (tmp_path / "model.pt").touch()
    assert options(checkpoint=model) == options() == BoundaryContourOptions()
    save_options(tuned_path(model), CHOSEN, {})
    assert options(checkpoint=model) == CHOSEN
    assert options(checkpoint=model, foreground=0.3, seed_contour=None) == CHOSEN.but(foreground=0.3)
    assert options() == BoundaryContourOptions()


def test_it_segments_by_the_file_beside_the_model(tmp_path):
    maps = np.zeros((2, 4, 12, 12), np.float32)
    maps[0, :, 2:8, 2:8] = 0.65
    save_options(tuned_path(tmp_path), CHOSEN, {})
    assert BoundaryContourToLabels(checkpoint=str(tmp_path), min_seed_voxels=0)(torch.from_numpy(maps)).max() == 1
    assert BoundaryContourToLabels(min_seed_voxels=0)(torch.from_numpy(maps)).max() == 0


def test_options_for_other_targets_are_refused_on_both_sides(tmp_path):
    save_options(tuned_path(tmp_path), CHOSEN, {})
    with pytest.raises(InputError, match="options for the targets affinities, got those for boundary_contour"):
        load_options(tmp_path)
    save_options(tuned_path(tmp_path), SegmentationOptions(), {})
    with pytest.raises(InputError, match="options for the targets boundary_contour, got those for affinities"):
        BoundaryContourToLabels(checkpoint=str(tmp_path))
    # As files were written before they named their targets.
    (tmp_path / "segmentation.json").write_text('{"options": {"threshold": 0.4}}')
    assert load_options(tmp_path) == SegmentationOptions(threshold=0.4)
