"""An evaluation that would give weights other grey values or another network than their training is refused."""

from __future__ import annotations

import json

import pytest
from monai.bundle import ConfigParser

from sectome.bundle import find_input_error
from sectome.checks import InputError
from sectome.described import describe
from sectome.evaluated_weights import check_same_as_trained
from sectome.neighbourhoods import LONG_RANGE
from sectome.standalone_bundle import OF_NETWORK
from sectome.transforms import PercentileIntensity, StandardiseIntensity
from tiny_networks import BUNDLES

TRAINED = {"intensity": describe(PercentileIntensity()), "patch_size": [2, 8, 8], "num_heads": 3, "lr": 0.1}


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps(TRAINED))
    return tmp_path / "model.pt"


def test_the_settings_of_the_training_pass_whatever_else_is_set(model):
    check_same_as_trained(model, {**TRAINED, "patch_size": (2, 8, 8), "unknown_to_the_file": 1})


@pytest.mark.parametrize(
    ("settings", "difference"),
    [
        ({"num_heads": 6}, "num_heads 3, got 6"),
        ({"patch_size": (4, 8, 8)}, r"patch_size \[2, 8, 8\], got \[4, 8, 8\]"),
        (
            {"intensity": describe(PercentileIntensity(per_section=True)), "num_heads": 6},
            "intensity per_section False, got True",
        ),
        ({"intensity": describe(StandardiseIntensity())}, "intensity _target_ .*PercentileIntensity', got .*Standard"),
    ],
)
def test_the_first_setting_that_differs_is_named(model, settings, difference):
    with pytest.raises(
        InputError, match=rf"model\.pt was trained with {difference}.*; use it with the overlays and options of"
    ):
        check_same_as_trained(model, settings)


def test_weights_without_settings_are_left_alone(tmp_path):
    check_same_as_trained(tmp_path / "model.pt", TRAINED)


def test_a_model_from_before_there_were_other_grey_values_was_trained_on_standardised_ones(tmp_path):
    (tmp_path / "model.json").write_text('{"depth": 6}')
    check_same_as_trained(tmp_path / "model.pt", {"intensity": describe(StandardiseIntensity())})
    with pytest.raises(InputError, match=r"intensity _target_ .*StandardiseIntensity', got .*PercentileIntensity"):
        check_same_as_trained(tmp_path / "model.pt", TRAINED)


@pytest.mark.parametrize("configs", [["train", "evaluate"], ["inference"]])
def test_a_network_of_ones_own_is_used_with_the_arguments_of_its_training_only(tmp_path, configs):
    network = {"_target_": "torch.nn.LeakyReLU", "negative_slope": 0.9}
    (tmp_path / "model.json").write_text(json.dumps({"offsets": LONG_RANGE, "network_def": network}))
    parser = ConfigParser()
    parser.read_config([str(BUNDLES / f"em_segmentation/configs/{name}.json") for name in configs])
    lines = [*parser["initialize"], *parser.get("checked", [])]
    [check] = [line for line in lines if "check_same_as_trained" in line]
    parser.update({"check": check, "checkpoint": str(tmp_path / "model.pt"), "network_def": dict(network)})
    parser["loss"] = {"_target_": "torch.nn.L1Loss"}
    parser.get_parsed_content("check")
    del parser["network_def"]["negative_slope"]
    parser.parse()
    with pytest.raises(RuntimeError) as raised:
        parser.get_parsed_content("check")
    assert "was trained with network_def negative_slope 0.9, got None" in str(find_input_error(raised.value))


@pytest.mark.parametrize(
    ("bundle", "config"),
    [
        ("mae_pretrain", "train"),
        ("em_segmentation", "train"),
        ("em_segmentation", "networks/residual_unet"),
    ],
)
def test_what_makes_a_network_is_asked_for_before_it_is_scored_or_handed_on(bundle, config):
    network = json.loads((BUNDLES / bundle / f"configs/{config}.json").read_text())["network_def"]
    # What is hidden is drawn anew for each batch: weights do not depend on it.
    settings = {value[1:] for value in network.values() if value.startswith("@") and not value.startswith("@mask")}
    assert settings <= json.loads((BUNDLES / bundle / "configs/evaluate.json").read_text())["same_as_trained"].keys()
    assert settings <= {*OF_NETWORK}
