"""A guard of what weights do not show: they take other grey values, heads or offsets as well, and score otherwise."""

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
    """Raise an `InputError` for the first setting that is not that of the training, as the file beside a model says it.

    Weights without that file, of whatever origin, are left alone, and so is a setting that the file does not have.

    Args:
        model: the checkpoint.
        settings: what the weights depend on, by the names in the file.
    """
    trained = read_object(settings_path(model))
    if not trained:
        return
    # As inference has it for models from before there was a choice.
    trained.setdefault("intensity", describe(described_normaliser(None)))
    now = as_json({name: value for name, value in settings.items() if name in trained})
    for difference in differences({name: trained[name] for name in now}, now):
        raise InputError(f"{model} was trained with {difference}; use it with the overlays and options of its training")
