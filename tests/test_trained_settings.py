"""What a network was trained as, read from beside its weights."""

from __future__ import annotations

import json

import pytest

from sectome.checks import InputError
from sectome.trained_settings import TrainedSettings, settings_path


def test_settings_lie_beside_the_model_under_its_name(tmp_path):
    (tmp_path / "best.json").write_text(json.dumps({"patch_size": [4, 16, 16]}))
    assert settings_path(tmp_path / "best.pt") == tmp_path / "best.json"
    settings = TrainedSettings(tmp_path / "best.pt")
    assert settings["patch_size"] == [4, 16, 16]
    assert dict(settings) == {"patch_size": [4, 16, 16]}


def test_a_model_without_settings_is_refused_with_both_names(tmp_path):
    with pytest.raises(InputError, match=r"expected at .*model\.pt with its settings in .*model\.json"):
        TrainedSettings(tmp_path / "model.pt")


@pytest.mark.parametrize(("text", "message"), [("{", "as JSON, got"), ("[1]", "by name, got list")])
def test_a_damaged_file_is_refused(tmp_path, text, message):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(InputError, match=message):
        TrainedSettings(tmp_path / "model.pt")


def test_a_setting_that_is_not_there_is_named(tmp_path):
    (tmp_path / "model.json").write_text('{"depth": 6}')
    with pytest.raises(InputError, match="must say the model's offsets, got depth"):
        TrainedSettings(tmp_path / "model.pt")["offsets"]
