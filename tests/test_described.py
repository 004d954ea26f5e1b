"""Components of a config as plain values, and back where they normalise grey values."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.losses import DiceCELoss
from monai.transforms import Compose, RandGaussianNoised

from sectome.checks import InputError
from sectome.described import arguments, describe
from sectome.differences import differences
from sectome.transforms import (
    Contrastd,
    PercentileIntensity,
    RandomOrientationd,
    StandardiseIntensity,
    described_normaliser,
)
from tiny_networks import BUNDLES


class Own:
    def __init__(self, scale, use=len):
        self.scale, self.use, self._calls, self.handle = scale, use, 0, object()


def test_a_component_is_its_class_and_what_is_public_and_plain():
    assert describe(Own((1, 2.5))) == {
        "_target_": f"{__name__}.Own",
        "scale": [1, 2.5],
        "use": "builtins.len",
    }


def test_a_class_is_its_name_as_the_type_of_monais_noise():
    [noise] = describe(Compose([RandGaussianNoised("image", std=0.5)]))["transforms"]
    assert noise["rand_gaussian_noise"]["std"] == 0.5
    assert noise["rand_gaussian_noise"]["dtype"] == "numpy.float32"


def test_what_takes_the_place_of_a_method_is_none_of_it():
    class Loss(torch.nn.Module):
        def sums(self):
            return 1

    loss = Loss()
    before = describe(loss)
    loss.sums = lambda: 2
    assert describe(loss) == before


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        (DiceCELoss(smooth_nr=1), DiceCELoss(smooth_nr=2), "dice smooth_nr 1.0, got 2.0"),
        (
            torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0])),
            torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 3.0])),
            "pos_weight [1.0, 2.0], got [1.0, 3.0]",
        ),
        (Own(np.arange(2)), Own(np.arange(3)), "scale [0, 1], got [0, 1, 2]"),
    ],
)
def test_what_a_loss_keeps_in_modules_and_arrays_is_compared(one, other, difference):
    assert list(differences(json.loads(json.dumps(describe(one))), describe(other))) == [difference]


def test_an_augmentation_is_described_alike_each_time():
    configs = BUNDLES / "em_segmentation/configs"
    once, again = [], []
    for descriptions in (once, again):
        parser = ConfigParser()
        parser.read_config([str(configs / "train.json"), str(configs / "augmentation/serial_sections.json")])
        descriptions.append(json.dumps(describe(parser.get_parsed_content("train#augmentation"))))
    assert once == again
    assert '"sigma_voxels": 3.0' in once[0]


def test_transforms_that_differ_are_named_by_place_and_parameter():
    one = describe(Compose([Contrastd("image", prob=0.5), RandomOrientationd("image")]))
    other = describe(Compose([Contrastd("image", prob=0.25), RandomOrientationd("image")]))
    [difference] = differences({"augmentation": one}, {"augmentation": other})
    assert difference == "augmentation transforms 0 transform prob 0.5, got 0.25"


def test_lists_of_numbers_are_shown_whole():
    assert list(differences({"crop_size": [16, 96]}, {"crop_size": [16, 64]})) == ["crop_size [16, 96], got [16, 64]"]


@pytest.mark.parametrize("normaliser", [StandardiseIntensity(), PercentileIntensity(2, 98, per_section=True)])
def test_a_described_normaliser_is_made_again(normaliser):
    again = described_normaliser(json.loads(json.dumps(describe(normaliser))))
    assert type(again) is type(normaliser)
    assert vars(again) == vars(normaliser)


def test_a_model_that_does_not_say_it_was_standardised():
    assert isinstance(described_normaliser(None), StandardiseIntensity)


def test_a_normaliser_from_elsewhere_is_not_run():
    with pytest.raises(InputError, match=r"grey values normalised by os\.system, which is not part of sectome: give"):
        described_normaliser({"_target_": "os.system", "command": "true"})


def test_arguments_are_those_of_the_config_whatever_the_component_keeps_of_them():
    parser = ConfigParser(
        {
            "imports": [f"$import {arguments.__module__} as described"],
            "share": 0.5,
            "net": {"_target_": "torch.nn.Dropout", "p": "@share", "inplace": "$1 > 2"},
            "other": "$@net",
            "made": "$described.arguments('net')",
            "made_otherwise": "$described.arguments('other')",
        }
    )
    assert parser.get_parsed_content("made") == {"_target_": "torch.nn.Dropout", "p": 0.5, "inplace": False}
    assert parser.get_parsed_content("made_otherwise") == "$@net"


@pytest.mark.parametrize("bundle", ["mae_pretrain", "em_segmentation"])
def test_arguments_of_a_network_are_settings_of_its_training(bundle):
    parser = ConfigParser()
    parser.read_config(BUNDLES / bundle / "configs/train.json")
    parser["network_def"] = {"_target_": "torch.nn.Dropout", "p": 0.5}
    assert parser.get_parsed_content("settings#network_def") == {"_target_": "torch.nn.Dropout", "p": 0.5}
