"""A check of the settings that weights do not show.

Weights also load with other grey values, heads or offsets, but then score differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sectome.checks import InputError
from sectome.described import describe
from sectome.differences import differences
from sectome.json_object import as_json, read_object
from sectome.trained_settings import settings_path
from sectome.transforms import described_normaliser


def check_same_as_trained(model: str | Path, settings: Mapping[str, Any]) -> None:
    """Raise an `InputError` for the first setting that differs from the training's, stored in the file beside a model.

    Weights without that file are not checked, and neither is a setting that the file lacks.

    Args:
        model: the checkpoint.
        settings: settings that the weights depend on, by their names in the file.
    """
    trained = read_object(settings_path(model))
    if not trained:
        return
    # The default of inference for models from before this was a setting.
    trained.setdefault("intensity", describe(described_normaliser(None)))
    now = as_json({name: value for name, value in settings.items() if name in trained})
    for difference in differences({name: trained[name] for name in now}, now):
        raise InputError(f"{model} was trained with {difference}; use it with the overlays and options of its training")
