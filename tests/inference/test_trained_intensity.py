"""Inference normalises grey values as the training of its model did."""

from __future__ import annotations

import json
import shutil

import pytest

from sectome.checks import InputError
from sectome.inference.trained_model import open_model
from sectome.transforms import PercentileIntensity, StandardiseIntensity
from tiny_networks import BUNDLES

SHIPPED = BUNDLES / "em_segmentation" / "models"


@pytest.fixture
def trained_with(tmp_path):
    def make(**settings):
        shutil.copyfile(SHIPPED / "model.pt", tmp_path / "model.pt")
        written = json.loads((SHIPPED / "model.json").read_text())
        (tmp_path / "model.json").write_text(json.dumps({**written, **settings}))
        return open_model(BUNDLES / "em_segmentation", tmp_path / "model.pt", device="cpu").intensity

    return make


def test_settings_that_do_not_say_it_mean_standardised(trained_with):
    assert isinstance(trained_with(), StandardiseIntensity)


def test_percentiles_are_those_of_the_training(trained_with):
    name = f"{PercentileIntensity.__module__}.PercentileIntensity"
    intensity = trained_with(intensity={"_target_": name, "lower": 2, "upper": 97, "per_section": True, "clahe": False})
    assert vars(intensity) == vars(PercentileIntensity(2, 97, per_section=True))


def test_a_normaliser_from_elsewhere_is_asked_for(trained_with):
    with pytest.raises(InputError, match=r"normalised by mine\.Own, which is not part of sectome: give it as --intens"):
        trained_with(intensity={"_target_": "mine.Own"})
