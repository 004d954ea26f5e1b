"""The normaliser that a model was trained with, read from the settings beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sectome.checks import InputError
from sectome.transforms.normaliser import Normaliser
from sectome.transforms.percentile_intensity import PercentileIntensity
from sectome.transforms.standardise_intensity import StandardiseIntensity


def described_normaliser(description: Mapping[str, Any] | None) -> Normaliser:
    """Return the normaliser that `describe` has described; None, of a model that states none, gives standardisation.

    Raises:
        InputError: if it is not of this package: a model's settings must not run other code.
    """
    if description is None:
        return StandardiseIntensity()
    arguments = dict(description)
    name = arguments.pop("_target_", None)
    for kind in (StandardiseIntensity, PercentileIntensity):
        if name == f"{kind.__module__}.{kind.__qualname__}":
            normaliser: Normaliser = kind(**arguments)
            return normaliser
    raise InputError(
        f"this model was trained on grey values normalised by {name}, which is not part of sectome: give it as "
        "--intensity of inference, or in an overlay for `sectome bundle`"
    )
