"""What a study's file may say, what it means, and what is refused."""

from __future__ import annotations

import json

import pytest

from sectome.checks import InputError
from sectome.study import read_study

SECTIONS = {"labelled (%)": {"100": {"a": [0, 8]}, "5": {"a": [0, 1]}}}


def test_settings_come_from_the_common_ones_then_the_arm_then_the_command_line(declare):
    path = declare(
        arms={
            "scratch": {},
            "longer": {"overlays": ["configs/networks/unetr.json"], "overrides": {"epochs": 9}},
            "pretrained": {"pretraining": "mae"},
        }
    )
    scratch, longer, pretrained = read_study(path).arms
    assert scratch.recipe.overrides == {"epochs": 3, "batch_size": 2}
    assert longer.recipe.overrides == {"epochs": 9, "batch_size": 2}
    assert longer.recipe.overlays == ("configs/datasets/phantom.json", "configs/networks/unetr.json")
    assert scratch.pretraining is None
    assert pretrained.pretraining.recipe.overrides == {"epochs": 2, "mask_ratio": 0.5}
    overrides = {"epochs": 1, "pretraining": {"depth": 2}, "fine_tuning": {"feature_size": 4}}
    scratch, longer, pretrained = read_study(path, overrides).arms
    assert longer.recipe.overrides == {"epochs": 1, "batch_size": 2, "feature_size": 4}
    assert pretrained.pretraining.recipe.overrides == {"epochs": 1, "mask_ratio": 0.5, "depth": 2}


def test_an_arm_is_made_for_each_varied_value_of_its_pretraining(declare):
    pretrainings = {"mae": {"vary": {"mask_ratio": [0.5, 0.75]}}}
    study = read_study(declare(pretrainings=pretrainings))
    assert [arm.name for arm in study.arms] == ["scratch", "pretrained_0.5", "pretrained_0.75"]
    assert [arm.value for arm in study.arms] == [None, 0.5, 0.75]
    assert study.varied == "mask_ratio"
    assert study.arms[2].pretraining.name == "mae_0.75"
    assert study.arms[2].pretraining.recipe.overrides["mask_ratio"] == 0.75
    assert study.baseline_of(study.arms[2]) is study.arms[0]
    assert study.baseline_of(study.arms[0]) is None


def test_named_values_may_set_anything_and_are_compared_with_the_baseline_of_the_same_value(declare):
    arms = {"scratch": {"vary": SECTIONS}, "pretrained": {"pretraining": "mae", "vary": SECTIONS}}
    study = read_study(declare(arms=arms))
    names = [arm.name for arm in study.arms]
    assert names == ["scratch_100", "scratch_5", "pretrained_100", "pretrained_5"]
    assert [arm.value for arm in study.arms] == [100, 5, 100, 5]
    assert study.arms[3].recipe.overrides["a"] == [0, 1]
    assert [arm and arm.name for arm in map(study.baseline_of, study.arms)] == [None, None, *names[:2]]


def test_overrides_that_make_two_variants_one_are_refused(declare):
    path = declare(pretrainings={"mae": {"vary": {"epochs": [2, 4]}}})
    with pytest.raises(InputError, match=r"overrides must not hide what varies, '4' and others, got {'epochs': 1}"):
        read_study(path, {"epochs": 1})
    assert len(read_study(path, {"fine_tuning": {"epochs": 1}, "warmup_steps": 0}).arms) == 3


def test_values_that_are_no_numbers_only_name_their_arms(declare):
    study = read_study(declare(pretrainings={"mae": {"vary": {"mask": ["random", "tube"]}}}))
    assert [arm.name for arm in study.arms] == ["scratch", "pretrained_random", "pretrained_tube"]
    assert [arm.value for arm in study.arms] == [None, None, None]


def test_names_that_python_alone_reads_as_numbers_are_no_places_on_an_axis(declare):
    patches = {"patch": {"4_16_16": {"patch_size": [4, 16, 16]}, "8_16_16": {"patch_size": [8, 16, 16]}}}
    endless = {"warmup": {"inf": {"warmup_steps": 0}, "nan": {"warmup_steps": 1}}}
    for vary in (patches, endless):
        study = read_study(declare(pretrainings={"mae": {"vary": vary}}))
        assert [arm.value for arm in study.arms] == [None, None, None]


def test_named_values_that_are_no_numbers_are_compared_with_the_baseline_of_the_same_name(declare):
    vary = {"labels": {"all": {"a": [0, 8]}, "few": {"a": [0, 1]}}}
    arms = {"scratch": {"vary": vary}, "pretrained": {"pretraining": "mae", "vary": vary}}
    study = read_study(declare(arms=arms))
    names = ["scratch_all", "scratch_few", "pretrained_all", "pretrained_few"]
    assert [arm.name for arm in study.arms] == names
    assert [arm and arm.name for arm in map(study.baseline_of, study.arms)] == [None, None, *names[:2]]


def test_a_pretraining_is_one_a_seed_or_one_for_all(declare):
    (_, arm) = read_study(declare()).arms
    assert [arm.pretraining_seed(seed) for seed in (0, 1)] == [0, 1]
    (_, arm) = read_study(declare(pretrainings={"mae": {"seed": 7}})).arms
    assert [arm.pretraining_seed(seed) for seed in (0, 1)] == [7, 7]


def test_a_pretraining_is_of_the_masked_autoencoder_unless_it_names_the_other_bundle(declare):
    (_, arm) = read_study(declare()).arms
    assert arm.pretraining.bundle == "mae_pretrain"
    (_, arm) = read_study(declare(pretrainings={"mae": {"bundle": "em_segmentation"}})).arms
    assert arm.pretraining.bundle == "em_segmentation"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"pretrainings": {"mae": {"bundle": "mae"}}},
            "bundle of the pre-training 'mae' must be one of 'mae_pretrain', ",
        ),
        ({"sedes": [1]}, "the study has no key 'sedes', did you mean 'seeds'?"),
        ({"seeds": []}, "seeds must list at least one whole number, all different and 0 or more, got []"),
        ({"seeds": [1, 1]}, "got [1, 1]"),
        ({"seeds": [0.5]}, "got [0.5]"),
        ({"seeds": [True]}, "got [True]"),
        ({"name": "a/b"}, "a name must be usable as a folder's name"),
        ({"baseline": "scrach"}, "the baseline must be an arm, got 'scrach', did you mean 'scratch'?"),
        ({"arms": {}}, "arms must name at least one arm, got none"),
        ({"arms": [1]}, "arms must be an object of names and values, got [1]"),
        ({"arms": {"pretrainings": {}}}, "not 'pretrainings'"),
        ({"arms": {"a": {"pretrainng": "mae"}}}, "the arm 'a' has no key 'pretrainng', did you mean 'pretraining'?"),
        ({"arms": {"a": {"pretraining": "mea"}}}, "must start from a declared pre-training, got 'mea', did you mean"),
        ({"arms": {"a": {"pretraining": "x"}}, "pretrainings": {}}, "got 'x' and none is declared"),
        ({"arms": {"a": {"overrides": {"seed": 3}}}}, "must not set what the study sets itself"),
        ({"arms": {"a": {"fine_tune": False}}}, "must be fine-tuned or name a pre-training, got fine_tune False"),
        (
            {"arms": {"a": {"pretraining": "mae", "fine_tune": False, "overrides": {"lr": 1}}}},
            "the arm 'a', which is not fine-tuned, must have no settings of its own",
        ),
        (
            {"arms": {"a": {"pretraining": "mae", "overrides": {"pretrained": "b.pt"}}}},
            "must start from a pre-training or from 'pretrained', got both",
        ),
        (
            {"arms": {"a": {"pretraining": "mae", "overrides": {"weights": "b.pt"}}}},
            "must start from a pre-training or from 'weights', got both",
        ),
        ({"arms": {"a": {"overlays": "b.json"}}}, "overlays must be a list of paths"),
        ({"arms": {"a": {"vary": {"lr": []}}}}, "must give 'lr' plain values, or names with overrides, got {}"),
        ({"arms": {"a": {"vary": {"lr": [1, 1]}}}}, "must give each value once, got [1, 1]"),
        ({"arms": {"a": {"vary": {"lr": [1], "b": [2]}}}}, "must hold one name with its values"),
        ({"arms": {"a": {"vary": {"lr": [[1, 2]]}}}}, "must give 'lr' plain values, or names with overrides"),
        ({"arms": {"a": {"vary": {"lr": [1]}}, "b": {"vary": {"wd": [1]}}}}, "must vary one thing, got lr and wd"),
        ({"arms": {"a_1": {}, "a": {"vary": {"lr": [1]}}}}, "each arm must have a name of its own, got 'a_1' twice"),
        ({"arms": {"scratch": {}}}, "a pre-training must be used by an arm, got 'mae'"),
        (
            {
                "pretrainings": {"mae": {"vary": {"lr": [1, 2]}}},
                "arms": {"a": {"pretraining": "mae", "vary": {"lr": [1, 2]}}},
            },
            "the arm 'a' or its pre-training may vary, got both",
        ),
    ],
)
def test_a_declaration_that_does_not_fit_is_one_sentence(declare, changes, sentence):
    if "arms" in changes:
        changes = {"baseline": "", **changes}
    path = declare(**changes)
    with pytest.raises(InputError) as error:
        read_study(path)
    assert sentence in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_two_arms_of_one_name_are_refused_though_json_would_keep_the_last(tmp_path):
    path = tmp_path / "study.json"
    path.write_text('{"name": "a", "seeds": [0], "arms": {"b": {}, "b": {"overrides": {}}}}')
    with pytest.raises(InputError, match="each name must be given once in an object, got 'b' twice"):
        read_study(path)


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected a study's JSON file at"):
        read_study(tmp_path / "none.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match="must be JSON, got"):
        read_study(tmp_path / "a.json")
    (tmp_path / "b.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match="the study must be an object"):
        read_study(tmp_path / "b.json")
