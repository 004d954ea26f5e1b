"""Keys of the bundles' configs that nothing reads, and references to what is not there, are refused."""

from __future__ import annotations

import pytest
from monai.bundle import ConfigParser

from sectome.bundle import check_keys
from sectome.checks import InputError
from tiny_networks import BUNDLES, TINY

CONFIGS = {"train": ["train"], "evaluate": ["train", "evaluate"], "inference": ["inference"]}


@pytest.fixture(params=[*TINY])
def check(request):
    """Check a bundle's merged configs with overrides, as a run does before anything else."""
    bundle = request.param
    request.getfixturevalue({"mae_pretrain": "mae_scripts", "em_segmentation": "segmentation_scripts"}[bundle])
    folder = BUNDLES / bundle / "configs"

    def run(names, **overrides):
        parser = ConfigParser()
        parser.read_config([folder / f"{name}.json" for name in names])
        parser.read_meta(folder / "metadata.json")
        parser.update({key.replace("__", "#"): value for key, value in overrides.items()})
        check_keys(parser, folder)

    return run


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_bundles_own_configs_pass(check, kind):
    check(CONFIGS[kind])
    if kind != "inference":
        check([*CONFIGS[kind], f"multi_gpu_{kind}"])


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("d_data", 3, "unknown config key 'd_data'"),
        ("epohcs", 3, "unknown config key 'epohcs', did you mean 'epochs'"),
        ("patch_sise", [4, 4, 4], "unknown config key 'patch_sise', did you mean 'patch_size'"),
        ("precision", "@devcie", "unknown config key 'devcie' in the value of 'precision', did you mean 'device'"),
        (
            "precision",
            "$str(@devcie)",
            "unknown config key 'devcie' in the value of 'precision', did you mean 'device'",
        ),
        ("intensity#lwo", 1, r"unknown config key 'intensity#lwo': sectome\.transforms\.\w+ does not take"),
    ],
)
def test_misspelt_keys_are_refused_in_each_workflow(check, kind, key, value, sentence):
    with pytest.raises(InputError, match=sentence):
        check(CONFIGS[kind], **{key: value})


@pytest.mark.parametrize("kind", ["train", "evaluate"])
@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("network_def#depht", 2, r"'network_def#depht': scripts\.\w+ does not take it, did you mean 'depth'"),
        ("train#trainer#max_epoch", 3, "'train#trainer#max_epoch': SupervisedTrainer .*, did you mean 'max_epochs'"),
        ("train#handlers#0#output_dri", "x", "'train#handlers#0#output_dri': .* did you mean 'output_dir'"),
        ("validate#key_metirc", {}, "'validate#key_metirc': nothing reads it, did you mean 'key_metric'"),
        ("train#trainre", {"max_epochs": 3}, "'train#trainre': nothing reads it, did you mean 'trainer'"),
        (
            "train#inferer",
            "@validate#infere",
            "'validate#infere' in the value of 'train#inferer', did you mean 'inferer",
        ),
        ("lr", "@train#trainre#max_epochs", "'train#trainre#max_epochs' in the value of 'lr', did you mean 'trainer'"),
    ],
)
def test_misspelt_nested_keys_are_refused(check, kind, key, value, sentence):
    with pytest.raises(InputError, match=sentence):
        check(CONFIGS[kind], **{key: value})


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("evaluator#val_handlres", [], "'evaluator#val_handlres': SupervisedEvaluator .*, did you mean 'val_handlers'"),
        ("overlap", "$@overlpa / 2", "'overlpa' in the value of 'overlap', did you mean 'overlap'"),
    ],
)
def test_misspelt_nested_keys_of_inference_are_refused(check, key, value, sentence):
    with pytest.raises(InputError, match=sentence):
        check(["inference"], **{key: value})


@pytest.mark.parametrize(
    "overrides",
    [
        # A name of the user's own, which a value refers to.
        {"my_rate": 0.1, "lr": "@my_rate"},
        # What is referred to as a whole is a value, and its content is free.
        {"validate#key_metric#my_metric": {"_target_": "ignite.metrics.Average"}},
        {"settings#note": "second try"},
        # A key that MONAI's properties know, though no config of the bundle has it.
        {"validate#postprocessing": {"_target_": "Compose", "transforms": []}},
        # Strings with an @ that are no references.
        {"output_dir": "runs@home"},
        # Attributes of an object that is referred to.
        {"val_interval": "$len(@train#dataset.tissue)"},
    ],
)
def test_what_is_meant_passes(check, overrides):
    check(["train"], **overrides)


def test_an_overlay_may_refer_to_what_only_other_workflows_have(segmentation_scripts):
    """`targets/*.json` serve training, which has no `checkpoint`, as well."""
    folder = BUNDLES / "em_segmentation/configs"
    parser = ConfigParser()
    parser.read_config([folder / "train.json", folder / "targets/boundary_contour.json"])
    check_keys(parser, folder)
