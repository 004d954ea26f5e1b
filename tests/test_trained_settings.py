"""What a network was trained as, read from beside its weights."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.postprocess import SegmentationOptions
from sectome.trained_settings import TrainedSettings, settings_path, warn_of_other_start, warn_of_other_voxels
from sectome.transforms import LoadVolume
from sectome.volumes import write_volume


def test_settings_lie_beside_the_model_under_its_name(tmp_path):
    (tmp_path / "best.json").write_text(json.dumps({"patch_size": [4, 16, 16]}))
    assert settings_path(tmp_path / "best.pt") == tmp_path / "best.json"
    settings = TrainedSettings(tmp_path / "best.pt")
    assert settings["patch_size"] == [4, 16, 16]
    assert settings.settings == {"patch_size": [4, 16, 16]}


def test_settings_of_a_model_that_is_named_by_its_folder_lie_in_it(tmp_path, monkeypatch):
    (tmp_path / "model.json").write_text(json.dumps({"channels": ["foreground", "contour"]}))
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, "."):
        assert settings_path(folder).is_file()
        with pytest.raises(
            InputError, match=r"expected a model for the targets affinities, got .* trained for boundary_contour"
        ):
            SegmentationOptions.for_model(folder)


def test_a_model_without_settings_is_refused_with_both_names(tmp_path):
    with pytest.raises(InputError, match=r"expected a trained model at .*model\.pt with its settings in .*model\.json"):
        TrainedSettings(tmp_path / "model.pt")


@pytest.mark.parametrize(("text", "message"), [("{", "as JSON, got"), ("[1]", "as a JSON object, got list")])
def test_a_damaged_file_is_refused(tmp_path, text, message):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(InputError, match=message):
        TrainedSettings(tmp_path / "model.pt")


def test_a_setting_that_is_not_there_is_named(tmp_path):
    (tmp_path / "model.json").write_text('{"depth": 6}')
    with pytest.raises(InputError, match="must give the model's offsets, got depth"):
        TrainedSettings(tmp_path / "model.pt")["offsets"]


@pytest.mark.parametrize("name", ["offsets", "out_channels"])
@pytest.mark.parametrize("settings", [{"offsets": [], "mask_ratio": 0.6}, {"mask_ratio": 0.75}])
def test_a_network_that_was_only_pretrained_segments_nothing(tmp_path, settings, name):
    (tmp_path / "model.json").write_text(json.dumps(settings))
    with pytest.raises(
        InputError, match=r"expected a model of affinities .*, got one that was pre-trained .* --pretrained"
    ):
        TrainedSettings(tmp_path / "model.pt")[name]


def test_a_volume_of_other_voxels_than_those_trained_on_is_said():
    with pytest.warns(
        UserWarning, match=r"a\.tif has voxels of \(30\.0, 6\.0, 6\.0\) nm along \(z, y, x\), .* \(8\.0, 8"
    ):
        warn_of_other_voxels((30, 6, 6), [8.0, 8.0, 8.0], "a.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_other_voxels((8, 7, 9), [8.0, 8.0, 8.0], "a.tif")
        warn_of_other_voxels((30, 6, 6), None, "a.tif")


def test_a_volume_on_its_way_to_a_network_is_compared_with_what_it_was_trained_on(tmp_path):
    write_volume(tmp_path / "a.tif", np.zeros((2, 3, 4), np.uint8), voxel_size_nm=(30, 6, 6))
    with pytest.warns(UserWarning, match="the model was trained on"):
        LoadVolume(trained_nm=(8, 8, 8))(tmp_path / "a.tif")


def test_a_start_from_weights_of_other_voxels_or_grey_values_is_said(tmp_path):
    scaled = {"_target_": "Percentiles", "upper": 99.0}
    settings = {"voxel_size_nm": [8.0, 8.0, 8.0], "intensity": scaled, "lr": 1}
    (tmp_path / "model.json").write_text(json.dumps(settings))
    model = tmp_path / "model.pt"
    with pytest.warns(
        UserWarning, match=r"model\.pt was trained with voxel_size_nm \[8\.0, 8\.0, 8\.0\], got \[30, 6, 6\]"
    ):
        warn_of_other_start(model, settings | {"voxel_size_nm": [30, 6, 6]})
    with pytest.warns(UserWarning, match=r"trained with intensity upper 99\.0, got 98\.0"):
        warn_of_other_start(model, settings | {"intensity": scaled | {"upper": 98.0}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_other_start(model, settings | {"voxel_size_nm": [8, 9, 8], "lr": 2})
        warn_of_other_start(tmp_path / "inflated.pt", settings)
        warn_of_other_start("", settings)
